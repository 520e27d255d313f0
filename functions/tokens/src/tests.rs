use chartseal_http::testing::{Call as Sent, ORIGIN, Stage, Wallet, call, document, refused};
use chartseal_infra::memory::MemoryVault;
use chartseal_ledger::terms::{Blinding, Term};

use super::*;

type Twin = Tokens<MemoryVault, MemoryVault, MemoryVault, MemoryVault>;

/// A stage with a search key, and its public key.
async fn cast() -> (Stage, Wallet, [u8; 32]) {
    let stage = Stage::new().await;
    let key = SearchKey::generate(&mut OsRng);
    stage.vault.keep(1, &key.to_bytes(), &Bytes(key.public_key())).await.expect("memory");
    let bob = stage.hospital("St. Paul").await;
    (stage, bob, key.public_key())
}

fn service(stage: &Stage, tokens_per_minute: u32) -> Twin {
    let vault = &stage.vault;
    Tokens::new(ORIGIN.to_owned(), vault.clone(), vault.clone(), vault.clone(), vault.clone(), tokens_per_minute)
}

fn terms(count: usize) -> Vec<Term> {
    (0..count).map(|number| Term::parse(&format!("keyword:{number}")).expect("a term")).collect()
}

fn post(stage: &Stage, wallet: &Wallet, blinded: Vec<[u8; 32]>) -> Sent {
    let body = serde_json::to_vec(&TokensRequest { blinded: blinded.into_iter().map(Bytes).collect() }).expect("JSON");
    stage.signed(wallet, stage.send("POST", "/tokens", body))
}

#[tokio::test]
async fn terms_are_evaluated_under_the_published_key() {
    let (stage, bob, public_key) = cast().await;
    let service = service(&stage, 600);
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let (blinding, blinded) = Blinding::new(terms(3), &mut OsRng).expect("blinded");
        let answer: TokensResponse = document(&call(&service, &post(&stage, &bob, blinded)).await, 200);
        assert_eq!(answer.epoch, 1);
        let evaluated: Vec<[u8; 32]> = answer.evaluated.into_iter().map(|element| element.0).collect();
        tokens.push(blinding.finish(&evaluated, &answer.proof.0, &public_key).expect("the proof holds"));
    }
    assert_eq!(tokens[0], tokens[1], "a term has one token, however it was blinded");
    assert!(tokens[0][0] != tokens[0][1] && tokens[0][1] != tokens[0][2]);

    let (_, mut twice) = Blinding::new(terms(1), &mut OsRng).expect("blinded");
    twice.push(twice[0]);
    let answer: TokensResponse = document(&call(&service, &post(&stage, &bob, twice)).await, 200);
    assert_eq!(answer.evaluated[0], answer.evaluated[1]);
}

#[tokio::test]
async fn only_members_of_verified_providers_have_terms_evaluated() {
    let (stage, bob, _) = cast().await;
    let service = service(&stage, 600);
    let (_, blinded) = Blinding::new(terms(1), &mut OsRng).expect("blinded");
    let pending = stage.registered("St. New").await;
    for (wallet, code) in [(&stage.operator, Code::NotMember), (&pending, Code::ProviderPending)] {
        assert_eq!(refused(&call(&service, &post(&stage, wallet, blinded.clone())).await), code);
    }
    stage.suspended(bob.provider()).await;
    assert_eq!(refused(&call(&service, &post(&stage, &bob, blinded.clone())).await), Code::ProviderSuspended);
    stage.verified(bob.provider()).await;
    let for_get = stage.get(&bob, "/tokens").authorization;
    let other = Sent { authorization: for_get, ..post(&stage, &bob, blinded) };
    assert_eq!(refused(&call(&service, &other).await), Code::TokenTarget);
}

#[tokio::test]
async fn a_provider_has_so_many_tokens_a_minute() {
    let (stage, bob, _) = cast().await;
    let ann = stage.hospital("St. Mary").await;
    let service = service(&stage, 10);
    let ask = |wallet: &Wallet, count| {
        let (_, blinded) = Blinding::new(terms(count), &mut OsRng).expect("blinded");
        post(&stage, wallet, blinded)
    };
    document::<TokensResponse>(&call(&service, &ask(&bob, 8)).await, 200);
    assert_eq!(refused(&call(&service, &ask(&bob, 3)).await), Code::TooManyRequests);
    document::<TokensResponse>(&call(&service, &ask(&bob, 2)).await, 200);
    assert_eq!(refused(&call(&service, &ask(&bob, 1)).await), Code::TooManyRequests);
    document::<TokensResponse>(&call(&service, &ask(&ann, 10)).await, 200);
    stage.vault.advance(MINUTE_MS);
    document::<TokensResponse>(&call(&service, &ask(&bob, 10)).await, 200);
}

#[tokio::test]
async fn what_is_no_batch_of_elements_is_refused() {
    let (stage, bob, _) = cast().await;
    let service = service(&stage, 1000);
    let (_, good) = Blinding::new(terms(1), &mut OsRng).expect("blinded");
    for (blinded, code) in [
        (vec![], Code::BadField),
        (vec![good[0]; MAX_TERMS + 1], Code::TooManyTerms),
        (vec![[0; 32]], Code::BadBlindedElement),
        (vec![good[0], [0xFF; 32]], Code::BadBlindedElement),
    ] {
        assert_eq!(refused(&call(&service, &post(&stage, &bob, blinded)).await), code);
    }
    for body in ["", "[]", r#"{"blinded":["x"]}"#, r#"{"blinded":[],"more":1}"#, r#"{"blinded":[],"blinded":[]}"#] {
        let sent = stage.signed(&bob, stage.send("POST", "/tokens", body));
        assert_eq!(refused(&call(&service, &sent).await), Code::MalformedJson, "{body}");
    }
}

#[tokio::test]
async fn without_a_search_key_nothing_is_answered() {
    let stage = Stage::new().await;
    let bob = stage.hospital("St. Paul").await;
    let (_, blinded) = Blinding::new(terms(1), &mut OsRng).expect("blinded");
    assert_eq!(refused(&call(&service(&stage, 10), &post(&stage, &bob, blinded)).await), Code::Internal);
}
