use std::io::Write as _;

use chartseal_events::{Hash, Id};
use serde_json::Value;

use super::*;
use crate::error::Error;

/// What is done to a wallet file.
type Change<'a> = &'a dyn Fn(&mut Value);

fn passphrase() -> Passphrase {
    Passphrase::new("correct horse battery")
}

fn member() -> Member {
    Member { kid: Id::from_parts(1, [1; 10]), provider: Id::from_parts(2, [2; 10]) }
}

fn pin() -> VaultPin {
    VaultPin { api: "https://v.example".into(), origin: "v.example".into(), genesis: Hash([9; 32]) }
}

fn wallet_error(outcome: Result<impl std::fmt::Debug, Error>) -> WalletError {
    match outcome.expect_err("refused") {
        Error::Wallet(error) => error,
        other => panic!("{other}"),
    }
}

#[test]
fn a_wallet_survives_its_file_at_each_stage_of_its_life() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ann");
    let mut wallet = Wallet::generate().expect("a wallet");
    let mut file = WalletFile::create(&path, &wallet, &passphrase()).expect("written");
    wallet.identity = Identity::Staff { member: Some(member()) };
    wallet.vault = Some(pin());
    file.save(&wallet, &passphrase()).expect("written");
    let read = WalletFile::read(&path).expect("read");
    assert_eq!(*read.head(), wallet.head());
    let opened = read.open(&passphrase()).expect("opened");
    assert_eq!(opened.signing_key().to_bytes(), wallet.signing_key().to_bytes());
    assert_eq!(opened.recipient_secret().expose(), wallet.recipient_secret().expose());
    assert_eq!((opened.kid(), opened.provider()), (Kid::Person(member().kid), Some(member().provider)));
    assert_eq!(std::fs::read_dir(folder.path()).expect("there").count(), 1, "no temporary file stays");

    let operator = Wallet::generate_operator().expect("a wallet");
    let path = folder.path().join("operator");
    WalletFile::create(&path, &operator, &passphrase()).expect("written");
    let opened = WalletFile::read(&path).and_then(|file| file.open(&passphrase())).expect("opened");
    assert_eq!((opened.kid(), opened.is_operator()), (Kid::Key(operator.thumbprint()), true));
}

#[test]
fn only_the_passphrase_opens_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = WalletFile::create(&folder.path().join("ann"), &Wallet::generate().expect("a wallet"), &passphrase())
        .expect("written");
    assert_eq!(wallet_error(file.open(&Passphrase::new("incorrect horse"))), WalletError::WrongPassphrase);
    assert_eq!(wallet_error(file.open(&Passphrase::new(""))), WalletError::WrongPassphrase);
    let short =
        WalletFile::create(&folder.path().join("b"), &Wallet::generate().expect("a wallet"), &Passphrase::new("short"));
    assert_eq!(wallet_error(short), WalletError::ShortPassphrase);
}

#[test]
fn a_change_outside_the_seal_is_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ann");
    let mut wallet = Wallet::generate().expect("a wallet");
    wallet.identity = Identity::Staff { member: Some(member()) };
    wallet.vault = Some(pin());
    WalletFile::create(&path, &wallet, &passphrase()).expect("written");
    let genuine: Value = serde_json::from_slice(&std::fs::read(&path).expect("there")).expect("JSON");
    let other = Wallet::generate().expect("a wallet");
    let write_back = |change: &dyn Fn(&mut Value)| {
        let mut document = genuine.clone();
        change(&mut document);
        std::fs::write(&path, document.to_string()).expect("written");
        WalletFile::read(&path).and_then(|file| file.open(&passphrase()))
    };
    write_back(&|_| {}).expect("unchanged");
    let tampered: [&dyn Fn(&mut Value); 5] = [
        &|document| document["vault"]["api"] = "https://evil.example".into(),
        &|document| document["vault"]["genesis"] = Hash([8; 32]).to_string().into(),
        &|document| document["provider"] = document["kid"].clone(),
        &|document| document["sign_key"] = other.sign_key().to_string().into(),
        &|document| document["seal_key"] = other.seal_key().to_string().into(),
    ];
    for change in tampered {
        assert_eq!(wallet_error(write_back(change)), WalletError::Tampered);
    }
    let not_one: [(Change<'_>, WalletError); 5] = [
        (&|document| document["v"] = 2.into(), WalletError::LaterVersion),
        (&|document| document["more"] = 1.into(), WalletError::NotAWallet),
        (&|document| document["kind"] = "operator".into(), WalletError::NotAWallet),
        (&|document| document["secret"] = "x".into(), WalletError::NotAWallet),
        (
            &|document| {
                // One character within the armor: the payload's authentication fails.
                let text = document["secret"].as_str().expect("text").to_owned();
                let place = text.len() - 60;
                let with = if &text[place..=place] == "A" { "B" } else { "A" };
                document["secret"] = format!("{}{with}{}", &text[..place], &text[place + 1..]).into();
            },
            WalletError::WrongPassphrase,
        ),
    ];
    for (change, error) in not_one {
        assert_eq!(wallet_error(write_back(change)), error);
    }
}

#[test]
fn a_file_that_asks_for_too_much_work_is_not_opened() {
    let mut recipient = age::scrypt::Recipient::new("x".to_owned().into());
    recipient.set_work_factor(2);
    let encryptor = age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient)).expect("age");
    let armored = age::armor::ArmoredWriter::wrap_output(Vec::new(), age::armor::Format::Binary).expect("age");
    let mut writer = encryptor.wrap_output(armored).expect("age");
    writer.write_all(b"{}").expect("written");
    let sealed = writer.finish().and_then(age::armor::ArmoredWriter::finish).expect("written");
    // The header is text and says the work factor in the clear: ask for 2^19 instead of 2^2.
    let end =
        sealed.windows(4).position(|window| window == b" 2\n\0" || window.starts_with(b" 2\n")).expect("a factor");
    let greedy = [&sealed[..end], b" 19", &sealed[end + 2..]].concat();
    let mut armor = age::armor::ArmoredWriter::wrap_output(Vec::new(), age::armor::Format::AsciiArmor).expect("age");
    armor.write_all(&greedy).expect("written");
    let text = String::from_utf8(armor.finish().expect("written")).expect("ASCII");
    let error = secret::open(&text, &Passphrase::new("x")).expect_err("too much");
    assert_eq!(error, WalletError::TooMuchWork { required_log2: 19 });
    const { assert!(WORK_FACTOR_LOG2 <= MAX_WORK_FACTOR_LOG2) };
}

#[test]
fn nothing_secret_is_in_debug_output() {
    let wallet = Wallet::generate().expect("a wallet");
    let secret = chartseal_events::encoding::base64url(&wallet.signing_key().to_bytes());
    let shown = format!("{wallet:?} {:?}", passphrase());
    assert!(!shown.contains(&secret) && !shown.contains("horse") && shown.contains(".."), "{shown}");
}
