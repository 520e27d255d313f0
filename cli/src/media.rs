//! The media type of a file, guessed from its name and, for JSON, from its first bytes. A person can always say it instead.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// How much of a JSON file is looked at.
const MAX_LOOK_BYTES: u64 = 4 * 1024;

/// The media type (RFC 6838) of a file; `application/octet-stream` where nothing better is known.
pub fn guess(path: &Path) -> &'static str {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    match extension.as_str() {
        "json" if is_bundle(path) => "application/fhir+json",
        "json" => "application/json",
        "ndjson" => "application/fhir+ndjson",
        "xml" => "application/xml",
        "txt" | "text" => "text/plain",
        "csv" => "text/csv",
        "html" | "htm" => "text/html",
        "pdf" => "application/pdf",
        "dcm" | "dicom" => "application/dicom",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "tif" | "tiff" => "image/tiff",
        "pgm" => "image/x-portable-graymap",
        "gif" => "image/gif",
        "mp4" => "video/mp4",
        "wav" => "audio/wav",
        "zip" => "application/zip",
        "hl7" => "application/hl7-v2",
        _ => "application/octet-stream",
    }
}

/// Whether a JSON file begins like a FHIR resource.
fn is_bundle(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_LOOK_BYTES).read_to_end(&mut start));
    read.is_ok() && start.windows(14).any(|window| window == b"\"resourceType\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fhir_bundle_is_told_from_other_json() {
        let folder = tempfile::tempdir().expect("a folder");
        let (bundle, other) = (folder.path().join("a.json"), folder.path().join("b.JSON"));
        std::fs::write(&bundle, r#"{ "resourceType" : "Bundle" }"#).expect("written");
        std::fs::write(&other, r#"{"a":1}"#).expect("written");
        assert_eq!(guess(&bundle), "application/fhir+json");
        assert_eq!(guess(&other), "application/json");
        assert_eq!(guess(Path::new("scan.DCM")), "application/dicom");
        assert_eq!(guess(Path::new("no-extension")), "application/octet-stream");
    }
}
