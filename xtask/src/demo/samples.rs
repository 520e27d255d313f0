//! The records that are shared: our samples of an invented patient, or the user's files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::process::{Failure, root};

use super::phantom;

/// The invented patient's number: what both hospitals know, and what the search asks for.
const PATIENT: &str = "patient:q-4471-0093";

/// A record to share.
pub struct Sample {
    /// The file.
    pub path: PathBuf,
    /// `--type`
    pub kind: &'static str,
    /// `--media-type`
    pub media_type: &'static str,
    /// `--label`
    pub label: String,
    /// `--term`, each
    pub terms: Vec<String>,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
}

impl Sample {
    fn read(path: PathBuf, kind: &'static str, label: &str, terms: &[&str]) -> Result<Self, Failure> {
        let advice = "name a file that exists and that you may read";
        let bytes = fs::read(&path).map_err(|error| Failure::new(format!("{}: {error}", path.display()), advice))?;
        let (media_type, sha256) = (media_type(&path), sha256(&bytes));
        let terms = [PATIENT].iter().chain(terms).map(|term| (*term).to_owned()).collect();
        Ok(Self { path, kind, media_type, label: label.to_owned(), terms, sha256 })
    }

    /// The file's name.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }
}

/// The user's files; `None` if there are none.
pub fn given(paths: &[PathBuf]) -> Result<Option<Vec<Sample>>, Failure> {
    if paths.is_empty() {
        return Ok(None);
    }
    let read = |path: &PathBuf| {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        let label = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Sample::read(path, "document", &label, &["keyword:demonstration"])
    };
    paths.iter().map(read).collect::<Result<_, _>>().map(Some)
}

/// Our own: an image drawn into `folder`, a FHIR bundle and a text report.
pub fn ours(folder: &Path) -> Result<Vec<Sample>, Failure> {
    let image = folder.join("head-ct.png");
    fs::write(&image, phantom::png())
        .map_err(|error| Failure::new(format!("{}: {error}", image.display()), "is the disk full?"))?;
    let samples = root().join("xtask/samples");
    Ok(vec![
        Sample::read(image, "scan", "CT of the head", &["modality:ct", "body:head", "date:2026-03-14"])?,
        Sample::read(
            samples.join("bundle.json"),
            "bundle",
            "Stay of March 2026",
            &["code:s06.0", "date:2026-03-14", "keyword:concussion"],
        )?,
        Sample::read(
            samples.join("report.txt"),
            "report",
            "Radiology report",
            &["modality:ct", "body:head", "date:2026-03-14", "keyword:concussion"],
        )?,
    ])
}

/// What the other hospital asks for: the patient's records of these kinds.
pub fn query(records: &[Sample]) -> String {
    let kinds: BTreeSet<String> = records.iter().map(|record| format!("type:{}", record.kind)).collect();
    format!("{PATIENT} AND ({})", Vec::from_iter(kinds).join(" OR "))
}

/// SHA-256 in hex.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn media_type(path: &Path) -> &'static str {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    match extension.as_str() {
        "json" => "application/fhir+json",
        "txt" => "text/plain",
        "pdf" => "application/pdf",
        "dcm" => "application/dicom",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "xml" => "application/xml",
        "csv" => "text/csv",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_samples_are_there_and_the_bundle_is_one() {
        let folder = std::env::temp_dir();
        let samples = ours(&folder).expect("the samples are in the checkout");
        let names: Vec<_> = samples.iter().map(Sample::name).collect();
        assert_eq!(names, ["head-ct.png", "bundle.json", "report.txt"]);
        assert_eq!(query(&samples), "patient:q-4471-0093 AND (type:bundle OR type:report OR type:scan)");
        let bundle = fs::read_to_string(&samples[1].path).expect("readable");
        let bundle: serde_json::Value = serde_json::from_str(&bundle).expect("JSON");
        let kinds: Vec<_> = bundle["entry"]
            .as_array()
            .expect("entries")
            .iter()
            .map(|entry| &entry["resource"]["resourceType"])
            .collect();
        for wanted in ["Patient", "Encounter", "Observation", "DocumentReference"] {
            assert!(kinds.iter().any(|kind| *kind == wanted), "no {wanted}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let Err(failure) = given(&[PathBuf::from("/no/such/scan.dcm")]) else { panic!("there is none") };
        assert!(failure.cause.starts_with("/no/such/scan.dcm: "), "{failure}");
    }

    #[test]
    fn hashes_are_lower_case_hex() {
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
