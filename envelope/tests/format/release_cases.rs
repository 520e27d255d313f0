//! How each frozen vector of a released key was made. The file is compared with this, so neither can change alone.

use chartseal_envelope::DataKey;
use chartseal_envelope::key_release::{Binding, RecipientSecret, SealedKey};
use chartseal_envelope::vector_hooks::release_with_ephemeral;

use crate::shape::{BindingShape, Bytes, Release};

const KEY: [u8; 32] = [0x4b; 32];

fn release(name: &str, meaning: &str, failure: Option<&str>) -> Release {
    let (seed, recipient) = ([0xe5; 32], RecipientSecret::from_bytes([0x5e; 32]));
    let binding = BindingShape {
        tenant: "vault.example".into(),
        record: "01JDB3YQ7X0000000000000000".into(),
        version: 1,
        request: Some("01JDB3YQ7X0000000000000001".into()),
        requester: "01JDB3YQ7X0000000000000002".into(),
    };
    let mut vector = Release {
        name: name.into(),
        meaning: meaning.into(),
        failure: failure.map(Into::into),
        ephemeral_seed: Some(Bytes(seed.to_vec())),
        recipient_secret: Bytes(recipient.expose().to_vec()),
        recipient_public: Bytes(recipient.public_key().unwrap().to_vec()),
        binding,
        data_key: Bytes(KEY.to_vec()),
        sealed: SealedKey { enc: [0; 32], ciphertext: [0; 48] },
    };
    vector.seal();
    vector
}

impl Release {
    pub fn binding(&self) -> Binding<'_> {
        Binding {
            tenant: &self.binding.tenant,
            record: &self.binding.record,
            version: self.binding.version,
            request: self.binding.request.as_deref(),
            requester: &self.binding.requester,
        }
    }

    fn seal(&mut self) {
        let seed = self.ephemeral_seed.as_ref().unwrap().array();
        let key = DataKey::from_bytes(self.data_key.array());
        self.sealed = release_with_ephemeral(&seed, &key, &self.recipient_public.array(), &self.binding()).unwrap();
    }
}

pub fn releases() -> Vec<Release> {
    let failure = Some("sealed-key-not-opened");
    let case = |name: &str, meaning: &str, change: &dyn Fn(&mut Release)| {
        let mut vector = release(name, meaning, failure);
        vector.ephemeral_seed = None;
        change(&mut vector);
        vector
    };
    let mut owner = release("owner", "The owner fetches its own record's key: no request", None);
    owner.binding.request = None;
    owner.seal();
    vec![
        release("requester", "A key released under a request", None),
        owner,
        case("other-tenant", "Sealed for another vault", &|vector| vector.binding.tenant = "other.example".into()),
        case("other-record", "Sealed for another record", &|vector| {
            vector.binding.record = "01JDB3YQ7X0000000000000009".into();
        }),
        case("other-version", "Sealed for another version", &|vector| vector.binding.version = 2),
        case("other-request", "Sealed for another request", &|vector| {
            vector.binding.request = Some("01JDB3YQ7X0000000000000009".into());
        }),
        case("no-request", "Sealed under a request, opened as the owner's", &|vector| vector.binding.request = None),
        case("other-requester", "Sealed for another person", &|vector| {
            vector.binding.requester = "01JDB3YQ7X0000000000000009".into();
        }),
        case("other-wallet", "Opened with another wallet", &|vector| {
            let other = RecipientSecret::from_bytes([0x77; 32]);
            vector.recipient_secret = Bytes(other.expose().to_vec());
            vector.recipient_public = Bytes(other.public_key().unwrap().to_vec());
        }),
        case("enc-flipped", "A bit of the ephemeral key is flipped", &|vector| vector.sealed.enc[0] ^= 1),
        case("enc-low-order", "The ephemeral key is a point of low order", &|vector| vector.sealed.enc = [0; 32]),
        case("ciphertext-flipped", "A bit of the sealed key is flipped", &|vector| vector.sealed.ciphertext[0] ^= 1),
        case("tag-flipped", "A bit of the tag is flipped", &|vector| vector.sealed.ciphertext[47] ^= 1),
    ]
}
