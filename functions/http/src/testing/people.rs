//! Wallets, and the providers they act for.

use chartseal_envelope::key_release::RecipientSecret;
use chartseal_events::command::{
    AuditorAdd, Claims, ProviderInvite, ProviderRegister, ProviderSuspend, ProviderVerify,
};
use chartseal_events::decide::code_hash;
use chartseal_events::id::Kind;
use chartseal_events::jws::{Jws, READ_TYP, ReadClaims};
use chartseal_events::private::PrivatePart;
use chartseal_events::{Action, Bytes, Command, Id, Kid, StreamId, Thumbprint};
use ed25519_dalek::SigningKey;

use super::Stage;

/// A wallet: whose it is, and its keys.
#[derive(Clone)]
pub struct Wallet {
    /// Who signs.
    pub kid: Kid,
    /// The provider they act for.
    pub act: Option<Id>,
    /// The Ed25519 key.
    pub key: SigningKey,
    /// The X25519 key.
    pub secret: RecipientSecret,
}

impl Wallet {
    /// A wallet that acts for nobody: an operator's, or one about to register. Another seed, another wallet.
    pub fn operator(seed: u8) -> Self {
        Self::of(u64::from(seed))
    }

    fn of(seed: u64) -> Self {
        let mut bytes = [0x5E; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        let key = SigningKey::from_bytes(&bytes);
        let kid = Kid::Key(Thumbprint::of(&Bytes(key.verifying_key().to_bytes())));
        Self { kid, act: None, key, secret: RecipientSecret::from_bytes(bytes) }
    }

    /// The Ed25519 public key.
    pub fn sign_key(&self) -> Bytes<32> {
        Bytes(self.key.verifying_key().to_bytes())
    }

    /// The X25519 public key.
    pub fn seal_key(&self) -> Bytes<32> {
        Bytes(self.secret.public_key().expect("any 32 bytes are a key"))
    }

    /// The thumbprint of the signing key.
    pub fn thumbprint(&self) -> Thumbprint {
        Thumbprint::of(&self.sign_key())
    }

    /// The provider.
    ///
    /// # Panics
    /// For an operator.
    pub fn provider(&self) -> Id {
        self.act.expect("a wallet that acts for a provider")
    }

    /// The person's id.
    ///
    /// # Panics
    /// For an operator.
    pub fn person(&self) -> Id {
        match self.kid {
            Kid::Person(id) => id,
            Kid::Key(_) => panic!("an operator is no person of a provider"),
        }
    }

    /// Signs a command.
    pub fn sign(&self, aud: &str, now_ms: u64, jti: Id, action: Action, part: &PrivatePart) -> Command {
        let claims = Claims { aud: aud.to_owned(), iat: now_ms / 1000, jti, act: self.act };
        Command::sign(self.kid, claims, action, part, &self.key)
    }

    /// Signs a read token, and gives it as an `Authorization` header has it.
    pub fn bearer(&self, claims: &ReadClaims) -> String {
        let payload = serde_json::to_vec(claims).expect("claims serialise");
        format!("Bearer {}", Jws::sign(READ_TYP, self.kid, &payload, &self.key).text())
    }
}

/// The code in every invitation of the tests.
const CODE: [u8; 16] = [0xC0; 16];

impl Stage {
    /// An invitation: the cloud ID and the code.
    pub async fn invited(&self) -> (Id, Bytes<16>) {
        let invite = ProviderInvite { code_hash: code_hash(&CODE), expires_at: self.now_ms() + 86_400_000 };
        let taken = self.taken(&self.operator, invite, &[]).await;
        match taken.event.at.stream {
            StreamId::Provider(id) => (id, Bytes(CODE)),
            other => panic!("an invitation begins a provider's stream, not {other}"),
        }
    }

    /// A wallet that has signed nothing yet.
    pub fn new_wallet(&self) -> Wallet {
        Wallet::of(0x1000 + self.next())
    }

    /// An auditor of the vault.
    pub async fn auditor(&self) -> Wallet {
        let wallet = self.new_wallet();
        self.taken(&self.operator, AuditorAdd { sign_key: wallet.sign_key() }, &[]).await;
        wallet
    }

    /// A provider that has registered and waits for its verification.
    pub async fn registered(&self, organisation: &str) -> Wallet {
        let (provider, code) = self.invited().await;
        let wallet = self.new_wallet();
        let register = ProviderRegister { provider, code, sign_key: wallet.sign_key(), seal_key: wallet.seal_key() };
        let private = [("organisation", organisation), ("name", "Ann Example"), ("phone", "+49 30 1234567")];
        let (command, private) = self.command(&wallet, register, &private);
        let luggage = super::Luggage { private, ..Default::default() };
        super::road::take(&self.vault, &self.vault, &command, &luggage).await.expect("registered");
        Wallet { kid: Kid::Person(command.new_id(Kind::Staff)), act: Some(provider), ..wallet }
    }

    /// A verified provider.
    pub async fn hospital(&self, organisation: &str) -> Wallet {
        let wallet = self.registered(organisation).await;
        self.verified(wallet.provider()).await;
        wallet
    }

    /// An operator verifies a provider.
    pub async fn verified(&self, provider: Id) {
        let head = self.head(StreamId::Provider(provider)).await;
        self.taken(&self.operator, ProviderVerify { provider, head }, &[]).await;
    }

    /// An operator suspends a provider.
    pub async fn suspended(&self, provider: Id) {
        self.taken(&self.operator, ProviderSuspend { provider }, &[("reason", "an audit")]).await;
    }

    /// The head of a stream.
    ///
    /// # Panics
    /// Where it has not begun.
    pub async fn head(&self, stream: StreamId) -> chartseal_events::Hash {
        use chartseal_infra::ports::EventStore as _;
        self.vault.load(&stream).await.expect("memory").last().expect("the stream has begun").leaf
    }
}
