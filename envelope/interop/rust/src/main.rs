//! The official AWS Encryption SDK for Rust at the other end: seals and opens messages for chartseal-interop.
//!
//! The requests and answers are those of ../python/esdk.py, one JSON value a line; `frame_bytes` is not among the answers of `open`, because this SDK
//! does not tell it. Wrapped data keys are those of its raw AES keyring, so that no KMS is needed.

use std::collections::HashMap;
use std::error::Error;
use std::io::{BufRead as _, Write as _};
use std::time::Instant;

use aws_esdk::client::Client;
use aws_esdk::material_providers::client::Client as Materials;
use aws_esdk::material_providers::types::keyring::KeyringRef;
use aws_esdk::material_providers::types::material_providers_config::MaterialProvidersConfig;
use aws_esdk::material_providers::types::{AesWrappingAlg, EsdkAlgorithmSuiteId};
use aws_esdk::types::aws_encryption_sdk_config::AwsEncryptionSdkConfig;
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn Error>>;

const BENCH_RUNS: usize = 3;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    // The default commitment policy: committing suites only, in both directions.
    let sdk = Sdk {
        client: Client::from_conf(AwsEncryptionSdkConfig::builder().build()?)?,
        materials: Materials::from_conf(MaterialProvidersConfig::builder().build()?)?,
    };
    for line in std::io::stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line?)?;
        // Whatever the SDK says is its answer.
        let answer = sdk.answer(&request).await.unwrap_or_else(|error| json!({"error": error.to_string()}));
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}

struct Sdk {
    client: Client,
    materials: Materials,
}

impl Sdk {
    async fn answer(&self, request: &Value) -> Outcome<Value> {
        match text(request, "do")? {
            "open" => self.open(request).await,
            "seal" => self.seal(request).await,
            "bench" => self.bench(request).await,
            other => Err(format!("{other}: no such command").into()),
        }
    }

    async fn open(&self, request: &Value) -> Outcome<Value> {
        let message = std::fs::read(text(request, "message")?)?;
        let opened = self.client.decrypt().ciphertext(message).keyring(self.named(request).await?).send().await?;
        let plaintext = opened.plaintext.ok_or("no plaintext")?;
        std::fs::write(text(request, "plaintext")?, plaintext.as_ref())?;
        let is_ours = opened.algorithm_suite_id == Some(EsdkAlgorithmSuiteId::AlgAes256GcmHkdfSha512CommitKey);
        Ok(json!({"context": opened.encryption_context, "suite": is_ours.then_some(0x0478)}))
    }

    async fn seal(&self, request: &Value) -> Outcome<Value> {
        let plaintext = std::fs::read(text(request, "plaintext")?)?;
        let context = serde_json::from_value(request["context"].clone())?;
        let message = self.sealed(self.named(request).await?, plaintext, context, frame_bytes(request)?).await?;
        std::fs::write(text(request, "message")?, message)?;
        Ok(json!({}))
    }

    async fn sealed(
        &self,
        keyring: KeyringRef,
        plaintext: Vec<u8>,
        context: HashMap<String, String>,
        frame_bytes: i64,
    ) -> Outcome<Vec<u8>> {
        let sealing = self.client.encrypt().plaintext(plaintext).keyring(keyring).encryption_context(context);
        let suite = EsdkAlgorithmSuiteId::AlgAes256GcmHkdfSha512CommitKey;
        let sealed = sealing.algorithm_suite_id(suite).frame_length(frame_bytes).send().await?;
        Ok(sealed.ciphertext.ok_or("no message")?.into_inner())
    }

    async fn bench(&self, request: &Value) -> Outcome<Value> {
        let bytes = usize::try_from(request["bytes"].as_u64().ok_or("bytes is missing")?)?;
        let plaintext: Vec<u8> = (0..bytes).map(|at| u8::try_from(at % 251).unwrap_or_default()).collect();
        let keyring = self.keyring(vec![0x57; 32], "bench", "bench").await?;
        let context = [("record", "01JDB3YQ7X0000000000000000"), ("tenant", "vault.example"), ("version", "1")];
        let context: HashMap<_, _> = context.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let (mut seal_s, mut open_s) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..BENCH_RUNS {
            let (input, context) = (plaintext.clone(), context.clone());
            let start = Instant::now();
            let message = self.sealed(keyring.clone(), input, context, frame_bytes(request)?).await?;
            seal_s = seal_s.min(start.elapsed().as_secs_f64());
            let start = Instant::now();
            let opened = self.client.decrypt().ciphertext(message).keyring(keyring.clone()).send().await?;
            open_s = open_s.min(start.elapsed().as_secs_f64());
            if opened.plaintext.ok_or("no plaintext")?.as_ref() != plaintext {
                return Err("another plaintext came back".into());
            }
        }
        // A length of bytes in a test is exact in a double.
        #[allow(clippy::cast_precision_loss)]
        let megabytes = bytes as f64 / 1e6;
        Ok(json!({"seal_mb_s": megabytes / seal_s, "open_mb_s": megabytes / open_s}))
    }

    async fn named(&self, request: &Value) -> Outcome<KeyringRef> {
        let key = bytes_of_hex(text(request, "wrapping_key")?)?;
        self.keyring(key, text(request, "namespace")?, text(request, "name")?).await
    }

    async fn keyring(&self, key: Vec<u8>, namespace: &str, name: &str) -> Outcome<KeyringRef> {
        let making = self.materials.create_raw_aes_keyring().key_namespace(namespace).key_name(name);
        Ok(making.wrapping_key(key).wrapping_alg(AesWrappingAlg::AlgAes256GcmIv12Tag16).send().await?)
    }
}

fn text<'a>(request: &'a Value, field: &str) -> Outcome<&'a str> {
    Ok(request[field].as_str().ok_or_else(|| format!("{field} is missing"))?)
}

fn frame_bytes(request: &Value) -> Outcome<i64> {
    Ok(request["frame_bytes"].as_i64().ok_or("frame_bytes is missing")?)
}

fn bytes_of_hex(text: &str) -> Outcome<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2).map(std::str::from_utf8);
    pairs.map(|pair| Ok(u8::from_str_radix(pair?, 16)?)).collect()
}
