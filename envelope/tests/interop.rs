//! Interoperability with the official AWS Encryption SDK for Python: it opens our messages, we open its.
//!
//! The SDK is installed into `.local/venv-esdk` of the checkout when it is not there yet; where that is not possible the tests fail, they never skip.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use chartseal_envelope::{
    Announcement, Context, DataKey, FrameBytes, Header, Opening, Sealing, WrappedKey, open, seal, write_message,
};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde_json::{Value, json};

const FRAME_BYTES: u32 = 65_536;
const WRAPPING_KEY: [u8; 32] = [0x57; 32];
const KEY_ID: &[u8] = b"interop";

fn manifest_dir() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Python interpreter that has the pinned SDK.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let requirements = manifest_dir().join("tests/interop/requirements.txt");
        let wanted = std::fs::read_to_string(&requirements).expect("the list of requirements");
        let venv = manifest_dir().parent().expect("the checkout").join(".local/venv-esdk");
        let (python, marker) = (venv.join("bin/python"), venv.join("installed-requirements.txt"));
        if std::fs::read_to_string(&marker).ok().as_ref() != Some(&wanted) {
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
            run(Command::new(&python)
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
                .arg(&requirements));
            // Written last: an installation that was interrupted is made anew.
            std::fs::write(&marker, &wanted).expect("the marker of a finished installation");
        }
        python
    })
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?} did not start: {error}. Python 3 with venv is needed."));
    assert!(
        output.status.success(),
        "{command:?} failed, so the official SDK cannot be asked:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Asks the SDK; its failure comes back as the text it printed.
fn ask(request: &Value) -> Result<Value, String> {
    let mut child = Command::new(python())
        .arg(manifest_dir().join("tests/interop/esdk.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python starts");
    child.stdin.take().unwrap().write_all(request.to_string().as_bytes()).expect("a request is sent");
    let output = child.wait_with_output().expect("Python ends");
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout).expect("an answer in JSON"))
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// A folder of one test, emptied when it begins.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Wraps a data key as the SDK's raw AES key provider does: AES-256-GCM with the serialized context as AAD; the provider's information is
/// key name || tag length in bits || IV length || IV.
fn wrap(key: &DataKey, context: &Context) -> WrappedKey {
    let iv = [0x2e; 12];
    let mut aad = 3_u16.to_be_bytes().to_vec();
    for (name, value) in context.pairs() {
        for text in [name.as_bytes(), value.as_bytes()] {
            aad.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
            aad.extend(text);
        }
    }
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &WRAPPING_KEY).unwrap());
    let mut wrapped = key.expose().to_vec();
    cipher.seal_in_place_append_tag(Nonce::assume_unique_for_key(iv), Aad::from(aad), &mut wrapped).unwrap();
    let info = [KEY_ID, &128_u32.to_be_bytes(), &12_u32.to_be_bytes(), &iv].concat();
    WrappedKey::of("chartseal-interop", &info, &wrapped).unwrap()
}

fn plaintext(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| u8::try_from(i % 251).unwrap()).collect()
}

fn context() -> Context {
    Context::new("vault.example", "01JDB3YQ7X0000000000000000", 7).unwrap()
}

/// Nothing, one byte, one short of a frame, a frame, one more, three frames, three and a bit.
const SIZES: [usize; 7] = [0, 1, 65_535, 65_536, 65_537, 196_608, 200_000];

#[test]
fn the_official_sdk_opens_our_messages() {
    let folder = folder("ours");
    for size in SIZES {
        let (key, context) = (DataKey::generate().unwrap(), context());
        let wrapped_key = wrap(&key, &context);
        let frame_bytes = FrameBytes::try_from(FRAME_BYTES).unwrap();
        let sealing = Sealing { key: &key, context: &context, wrapped_key: &wrapped_key, frame_bytes };
        let (record, mut body) = (plaintext(size), Vec::new());
        let sealed = seal(&sealing, &record[..], &mut body).unwrap();

        let (message, opened) = (folder.join("message"), folder.join("opened"));
        let written = write_message(&sealed.header, &body[..], std::fs::File::create(&message).unwrap()).unwrap();
        assert_eq!(written, sealed.header.len() as u64 + sealed.body_bytes);
        let request =
            json!({"do": "open", "wrapping_key": hex::encode(WRAPPING_KEY), "message": message, "plaintext": opened});
        let answer = ask(&request).unwrap_or_else(|error| panic!("{size} bytes: {error}"));
        assert_eq!(answer["context"], json!({"record": context.record(), "tenant": context.tenant(), "version": "7"}));
        assert_eq!((&answer["suite"], &answer["frame_bytes"]), (&json!(0x0478), &json!(FRAME_BYTES)));
        assert!(std::fs::read(&opened).unwrap() == record, "{size} bytes came back as others");
    }
}

#[test]
fn the_official_sdk_refuses_our_message_with_a_changed_byte() {
    let folder = folder("ours-changed");
    let (key, context) = (DataKey::generate().unwrap(), context());
    let wrapped_key = wrap(&key, &context);
    let frame_bytes = FrameBytes::try_from(FRAME_BYTES).unwrap();
    let sealing = Sealing { key: &key, context: &context, wrapped_key: &wrapped_key, frame_bytes };
    let mut body = Vec::new();
    let sealed = seal(&sealing, &plaintext(100)[..], &mut body).unwrap();
    body[50] ^= 1;
    let (message, opened) = (folder.join("message"), folder.join("opened"));
    write_message(&sealed.header, &body[..], std::fs::File::create(&message).unwrap()).unwrap();
    let request =
        json!({"do": "open", "wrapping_key": hex::encode(WRAPPING_KEY), "message": message, "plaintext": opened});
    let error = ask(&request).expect_err("a changed byte");
    assert!(error.contains("InvalidTag"), "{error}");
}

#[test]
fn we_open_messages_of_the_official_sdk() {
    let folder = folder("theirs");
    let context = context();
    for size in SIZES {
        let record = plaintext(size);
        let (message, source) = (folder.join("message"), folder.join("plaintext"));
        std::fs::write(&source, &record).unwrap();
        let answer = ask(&json!({
            "do": "seal", "wrapping_key": hex::encode(WRAPPING_KEY), "plaintext": source, "message": message,
            "context": context.pairs().into_iter().collect::<std::collections::BTreeMap<_, _>>(), "frame_bytes": FRAME_BYTES,
        }))
        .unwrap_or_else(|error| panic!("{size} bytes: {error}"));
        let data_key = hex::decode(answer["data_key"].as_str().unwrap()).unwrap();

        let message = std::fs::read(&message).unwrap();
        let (header, body) = Header::parse_prefix(&message).unwrap();
        assert_eq!(header.wrapped_key().provider_id(), "chartseal-interop");
        let frame_bytes = FrameBytes::try_from(header.frame_bytes()).unwrap();
        let announcement = Announcement::measure(&header, frame_bytes, body).unwrap();
        assert_eq!(announcement.plaintext_bytes(), Some(size as u64));
        let opening = Opening {
            key: &DataKey::from_slice(&data_key).unwrap(),
            header: header.as_bytes(),
            context: &context,
            announcement: &announcement,
        };
        let mut opened = Vec::new();
        open(&opening, body, &mut opened).unwrap_or_else(|error| panic!("{size} bytes: {error}"));
        assert!(opened == record, "{size} bytes came back as others");
    }
}
