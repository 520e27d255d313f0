//! Both sides of the blind evaluation: RFC 9497, mode VOPRF, suite ristretto255-SHA512, in batches with one proof.
//!
//! The client blinds its terms, the vault evaluates them without learning them, the client checks that the vault used the key it published and unblinds. A
//! token is the first 32 bytes of the 64-byte output; the input is UTF-8 of `facet:value`.

use std::fmt;

use rand_core::{CryptoRng, RngCore};
use voprf::{BlindedElement, EvaluationElement, Group, Proof, Ristretto255, VoprfClient, VoprfServer};
use zeroize::Zeroizing;

use super::term::{MAX_TERMS, Term};
use super::token::Token;

/// Bytes of the proof of one batch.
pub const PROOF_BYTES: usize = 64;

type Element = [u8; 32];
type Output = [u8; 64];

/// The client's secret between its question and the vault's answer.
pub struct Blinding {
    inputs: Vec<Vec<u8>>,
    clients: Vec<VoprfClient<Ristretto255>>,
}

/// What the vault answers to a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// One element for each blinded element, in the same order.
    pub evaluated: Vec<Element>,
    /// That all were evaluated under the published key.
    pub proof: [u8; PROOF_BYTES],
}

/// Why blinding, evaluating or finishing failed. Nothing of it is worth trying again with the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlindError {
    /// Not 1 to [`MAX_TERMS`] of them.
    #[error("a batch has 1 to {MAX_TERMS} terms, not {found}")]
    BatchSize {
        /// How many there were.
        found: usize,
    },
    /// A blinded or evaluated element is not a point other than the identity in its one encoding.
    #[error("element {index} of the batch is not a valid group element")]
    BadElement {
        /// Which one, counted from zero.
        index: usize,
    },
    /// The answer has another number of elements than the question.
    #[error("{asked} terms were asked for, but {answered} came back")]
    WrongCount {
        /// How many were blinded.
        asked: usize,
        /// How many came back.
        answered: usize,
    },
    /// The published key is no key.
    #[error("the vault's public search key is not valid")]
    BadPublicKey,
    /// The answer was not made with the published key, or was changed.
    #[error("the vault's proof is wrong: it did not use its published search key, or the answer was changed")]
    ProofRefused,
    /// A term has a hash that cannot be blinded. This does not happen by chance.
    #[error("a term cannot be blinded")]
    Unblindable,
}

impl Blinding {
    /// Blinds terms. The elements go to the vault; the blinding stays.
    pub fn new(
        terms: impl IntoIterator<Item = Term>,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<(Self, Vec<Element>), BlindError> {
        Self::of_inputs(terms.into_iter().map(|term| term.to_input()).collect(), rng)
    }

    fn of_inputs(
        inputs: Vec<Vec<u8>>,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<(Self, Vec<Element>), BlindError> {
        check_size(inputs.len())?;
        let (mut clients, mut blinded) = (Vec::new(), Vec::new());
        for input in &inputs {
            let result = VoprfClient::<Ristretto255>::blind(input, rng).map_err(|_| BlindError::Unblindable)?;
            clients.push(result.state);
            blinded.push(result.message.serialize().into());
        }
        Ok((Self { inputs, clients }, blinded))
    }

    /// Checks the vault's proof against its published key and unblinds: one token for each term, in the order given.
    pub fn finish(
        self,
        evaluated: &[Element],
        proof: &[u8; PROOF_BYTES],
        public_key: &Element,
    ) -> Result<Vec<Token>, BlindError> {
        let outputs = self.outputs(evaluated, proof, public_key)?;
        Ok(outputs.iter().map(|output| Token::from_bytes(first_half(output))).collect())
    }

    fn outputs(
        self,
        evaluated: &[Element],
        proof: &[u8; PROOF_BYTES],
        public_key: &Element,
    ) -> Result<Vec<Output>, BlindError> {
        if evaluated.len() != self.clients.len() {
            return Err(BlindError::WrongCount { asked: self.clients.len(), answered: evaluated.len() });
        }
        let public_key = <Ristretto255 as Group>::deserialize_elem(public_key).map_err(|_| BlindError::BadPublicKey)?;
        let elements = each(evaluated, EvaluationElement::<Ristretto255>::deserialize)?;
        let proof = Proof::deserialize(proof).map_err(|_| BlindError::ProofRefused)?;
        VoprfClient::batch_finalize(&self.inputs, &self.clients, &elements, &proof, public_key)
            .map_err(|_| BlindError::ProofRefused)?
            .map(|output| output.map(Into::into).map_err(|_| BlindError::Unblindable))
            .collect()
    }
}

impl fmt::Debug for Blinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blinding({} terms)", self.clients.len())
    }
}

/// The vault's search key. Zeroed when dropped, never printed.
#[derive(Clone)]
pub struct SearchKey(VoprfServer<Ristretto255>);

/// Bytes that are no search key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a search key: a ristretto255 scalar other than zero, in its one encoding")]
pub struct SearchKeyError;

impl SearchKey {
    /// A fresh key, for a new vault or a new epoch.
    pub fn generate(rng: &mut (impl RngCore + CryptoRng)) -> Self {
        loop {
            let scalar = Ristretto255::random_scalar(rng);
            let bytes = Zeroizing::new(<[u8; 32]>::from(Ristretto255::serialize_scalar(scalar)));
            // A random scalar is a key at the first try: it is never zero and is written in its one encoding.
            if let Ok(key) = Self::from_bytes(&bytes) {
                return key;
            }
        }
    }

    /// The key with these bytes, as KMS unwrapped them.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, SearchKeyError> {
        VoprfServer::new_with_key(bytes).map(Self).map_err(|_| SearchKeyError)
    }

    /// The secret bytes, to be wrapped by KMS.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        // The library writes the secret scalar first and the public key after it.
        let both = Zeroizing::new(<[u8; 64]>::from(self.0.serialize()));
        Zeroizing::new(first_half(&both))
    }

    /// The public key, which goes into the genesis event.
    pub fn public_key(&self) -> Element {
        Ristretto255::serialize_elem(self.0.get_public_key()).into()
    }

    /// Evaluates a batch of blinded terms, with one proof for all of them.
    pub fn evaluate_batch(
        &self,
        blinded: &[Element],
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Evaluation, BlindError> {
        check_size(blinded.len())?;
        let elements = each(blinded, BlindedElement::<Ristretto255>::deserialize)?;
        let result =
            self.0.batch_blind_evaluate(rng, &elements).map_err(|_| BlindError::BatchSize { found: blinded.len() })?;
        let evaluated = result.messages.iter().map(|message| message.serialize().into()).collect();
        Ok(Evaluation { evaluated, proof: result.proof.serialize().into() })
    }
}

impl fmt::Debug for SearchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SearchKey(..)")
    }
}

fn check_size(found: usize) -> Result<(), BlindError> {
    if (1..=MAX_TERMS).contains(&found) { Ok(()) } else { Err(BlindError::BatchSize { found }) }
}

fn each<T>(elements: &[Element], read: impl Fn(&[u8]) -> voprf::Result<T>) -> Result<Vec<T>, BlindError> {
    let read = |(index, element): (usize, &Element)| read(element).map_err(|_| BlindError::BadElement { index });
    elements.iter().enumerate().map(read).collect()
}

fn first_half(bytes: &[u8; 64]) -> [u8; 32] {
    // Unwrap safety: half of 64 is 32.
    *bytes.first_chunk().expect("half of 64 bytes")
}

#[cfg(test)]
mod tests {
    use rand_core::OsRng;

    use super::*;

    /// Gives out scalars that an RFC prescribes: each is reduced from 64 bytes, so 32 zeros follow it.
    struct Scalars(Vec<[u8; 32]>);

    impl RngCore for Scalars {
        fn next_u32(&mut self) -> u32 {
            unreachable!("scalars are drawn as bytes")
        }

        fn next_u64(&mut self) -> u64 {
            unreachable!("scalars are drawn as bytes")
        }

        fn fill_bytes(&mut self, room: &mut [u8]) {
            assert_eq!(room.len(), 64);
            room[..32].copy_from_slice(&self.0.remove(0));
            room[32..].fill(0);
        }

        fn try_fill_bytes(&mut self, room: &mut [u8]) -> Result<(), rand_core::Error> {
            self.fill_bytes(room);
            Ok(())
        }
    }

    impl CryptoRng for Scalars {}

    fn bytes<const N: usize>(text: &str) -> [u8; N] {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    struct Rfc {
        inputs: &'static [&'static str],
        blinds: &'static [&'static str],
        blinded: &'static [&'static str],
        evaluated: &'static [&'static str],
        proof: &'static str,
        proof_scalar: &'static str,
        outputs: &'static [&'static str],
    }

    const SECRET_KEY: &str = "e6f73f344b79b379f1a0dd37e07ff62e38d9f71345ce62ae3a9bc60b04ccd909";
    const PUBLIC_KEY: &str = "c803e2cc6b05fc15064549b5920659ca4a77b2cca6f04f6b357009335476ad4e";
    const BLIND: &str = "64d37aed22a27f5191de1c1d69fadb899d8862b58eb4220029e036ec4c1f6706";
    const SECOND_BLIND: &str = "222a5e897cf59db8145db8d16e597e8facb80ae7d4e26d9881aa6f61d645fc0e";
    const OUTPUT: &str = "b58cfbe118e0cb94d79b5fd6a6dafb98764dff49c14e1770b566e42402da1a7d\
                          a4d8527693914139caee5bd03903af43a491351d23b430948dd50cde10d32b3c";
    const SECOND_OUTPUT: &str = "8a9a2f3c7f085b65933594309041fc1898d42d0858e59f90814ae90571a6df60\
                                 356f4610bf816f27afdd84f47719e480906d27ecd994985890e5f539e7ea74b6";

    /// RFC 9497 appendix A.1.2, VOPRF mode: test vectors 1, 2 and 3 (a batch of two).
    const VECTORS: [Rfc; 3] = [
        Rfc {
            inputs: &["00"],
            blinds: &[BLIND],
            blinded: &["863f330cc1a1259ed5a5998a23acfd37fb4351a793a5b3c090b642ddc439b945"],
            evaluated: &["aa8fa048764d5623868679402ff6108d2521884fa138cd7f9c7669a9a014267e"],
            proof: "ddef93772692e535d1a53903db24367355cc2cc78de93b3be5a8ffcc6985dd06\
                    6d4346421d17bf5117a2a1ff0fcb2a759f58a539dfbe857a40bce4cf49ec600d",
            proof_scalar: SECOND_BLIND,
            outputs: &[OUTPUT],
        },
        Rfc {
            inputs: &["5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"],
            blinds: &[BLIND],
            blinded: &["cc0b2a350101881d8a4cba4c80241d74fb7dcbfde4a61fde2f91443c2bf9ef0c"],
            evaluated: &["60a59a57208d48aca71e9e850d22674b611f752bed48b36f7a91b372bd7ad468"],
            proof: "401a0da6264f8cf45bb2f5264bc31e109155600babb3cd4e5af7d181a2c9dc0a\
                    67154fabf031fd936051dec80b0b6ae29c9503493dde7393b722eafdf5a50b02",
            proof_scalar: SECOND_BLIND,
            outputs: &[SECOND_OUTPUT],
        },
        Rfc {
            inputs: &["00", "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"],
            blinds: &[BLIND, SECOND_BLIND],
            blinded: &[
                "863f330cc1a1259ed5a5998a23acfd37fb4351a793a5b3c090b642ddc439b945",
                "90a0145ea9da29254c3a56be4fe185465ebb3bf2a1801f7124bbbadac751e654",
            ],
            evaluated: &[
                "aa8fa048764d5623868679402ff6108d2521884fa138cd7f9c7669a9a014267e",
                "cc5ac221950a49ceaa73c8db41b82c20372a4c8d63e5dded2db920b7eee36a2a",
            ],
            proof: "cc203910175d786927eeb44ea847328047892ddf8590e723c37205cb74600b0a\
                    5ab5337c8eb4ceae0494c2cf89529dcf94572ed267473d567aeed6ab873dee08",
            proof_scalar: "419c4f4f5052c53c45f3da494d2b67b220d02118e0857cdbcf037f9ea84bbe0c",
            outputs: &[OUTPUT, SECOND_OUTPUT],
        },
    ];

    #[test]
    fn agrees_with_the_vectors_of_rfc_9497() {
        let key = SearchKey::from_bytes(&bytes(SECRET_KEY)).unwrap();
        assert_eq!(key.public_key(), bytes(PUBLIC_KEY));
        assert_eq!(*key.to_bytes(), bytes(SECRET_KEY));
        for vector in VECTORS {
            let all = |texts: &[&str]| texts.iter().map(|text| bytes::<32>(text)).collect::<Vec<_>>();
            let inputs = vector.inputs.iter().map(|input| hex::decode(input).unwrap()).collect();
            let (blinding, blinded) = Blinding::of_inputs(inputs, &mut Scalars(all(vector.blinds))).unwrap();
            assert_eq!(blinded, all(vector.blinded));
            let answer = key.evaluate_batch(&blinded, &mut Scalars(vec![bytes(vector.proof_scalar)])).unwrap();
            assert_eq!(answer.evaluated, all(vector.evaluated));
            assert_eq!(answer.proof, bytes(vector.proof));
            let outputs = blinding.outputs(&answer.evaluated, &answer.proof, &key.public_key()).unwrap();
            assert_eq!(outputs, vector.outputs.iter().map(|output| bytes::<64>(output)).collect::<Vec<_>>());
        }
    }

    fn terms(count: usize) -> Vec<Term> {
        (0..count).map(|i| Term::parse(&format!("keyword:{i}")).unwrap()).collect()
    }

    fn tokens(key: &SearchKey, terms: Vec<Term>) -> Vec<Token> {
        let (blinding, blinded) = Blinding::new(terms, &mut OsRng).unwrap();
        let answer = key.evaluate_batch(&blinded, &mut OsRng).unwrap();
        blinding.finish(&answer.evaluated, &answer.proof, &key.public_key()).unwrap()
    }

    #[test]
    fn a_term_has_one_token_however_it_is_asked_for() {
        let key = SearchKey::generate(&mut OsRng);
        let together = tokens(&key, terms(MAX_TERMS));
        assert_eq!(together.len(), MAX_TERMS);
        for (term, token) in terms(3).into_iter().zip(&together) {
            assert_eq!(tokens(&key, vec![term.clone()]), [*token]);
            let direct = key.0.evaluate(&term.to_input()).unwrap();
            assert_eq!(token.as_bytes()[..], direct[..32]);
        }
        let other_key = SearchKey::generate(&mut OsRng);
        assert_ne!(tokens(&other_key, terms(1)), together[..1]);
    }

    #[test]
    fn the_vault_sees_other_elements_each_time() {
        let (_, once) = Blinding::new(terms(1), &mut OsRng).unwrap();
        let (_, again) = Blinding::new(terms(1), &mut OsRng).unwrap();
        assert_ne!(once, again);
    }

    #[test]
    fn an_answer_that_was_changed_is_refused() {
        let key = SearchKey::generate(&mut OsRng);
        let other = SearchKey::generate(&mut OsRng);
        let finish = |change: &dyn Fn(&mut Evaluation, &mut Element)| {
            let (blinding, blinded) = Blinding::new(terms(3), &mut OsRng).unwrap();
            let mut answer = key.evaluate_batch(&blinded, &mut OsRng).unwrap();
            let mut public_key = key.public_key();
            change(&mut answer, &mut public_key);
            blinding.finish(&answer.evaluated, &answer.proof, &public_key)
        };
        assert!(finish(&|_, _| ()).is_ok());
        assert_eq!(finish(&|_, public_key| *public_key = other.public_key()), Err(BlindError::ProofRefused));
        assert_eq!(finish(&|answer, _| answer.evaluated.swap(0, 1)), Err(BlindError::ProofRefused));
        assert_eq!(finish(&|answer, _| answer.evaluated[2] = answer.evaluated[1]), Err(BlindError::ProofRefused));
        assert_eq!(finish(&|answer, _| answer.proof[0] ^= 1), Err(BlindError::ProofRefused));
        assert_eq!(finish(&|answer, _| answer.proof[32] ^= 1), Err(BlindError::ProofRefused));
        assert_eq!(finish(&|answer, _| answer.proof = [0xff; 64]), Err(BlindError::ProofRefused));
        assert_eq!(finish(&|answer, _| answer.evaluated[1] = [0; 32]), Err(BlindError::BadElement { index: 1 }));
        assert_eq!(finish(&|answer, _| answer.evaluated[0] = [0xff; 32]), Err(BlindError::BadElement { index: 0 }));
        assert_eq!(finish(&|_, public_key| *public_key = [0; 32]), Err(BlindError::BadPublicKey));
        let short = finish(&|answer, _| answer.evaluated.truncate(2));
        assert_eq!(short, Err(BlindError::WrongCount { asked: 3, answered: 2 }));
    }

    /// A vault that answers one term under another key must be noticed, even when the proof is honest about the rest.
    #[test]
    fn an_answer_under_another_key_is_refused() {
        let (key, other) = (SearchKey::generate(&mut OsRng), SearchKey::generate(&mut OsRng));
        let (blinding, blinded) = Blinding::new(terms(2), &mut OsRng).unwrap();
        let answer = other.evaluate_batch(&blinded, &mut OsRng).unwrap();
        assert_eq!(blinding.finish(&answer.evaluated, &answer.proof, &key.public_key()), Err(BlindError::ProofRefused));
    }

    #[test]
    fn batches_have_limits() {
        let key = SearchKey::generate(&mut OsRng);
        let too_many = MAX_TERMS + 1;
        for found in [0, too_many] {
            assert_eq!(Blinding::new(terms(found), &mut OsRng).err(), Some(BlindError::BatchSize { found }));
            let blinded = vec![key.public_key(); found];
            assert_eq!(key.evaluate_batch(&blinded, &mut OsRng), Err(BlindError::BatchSize { found }));
        }
        let blinded = [key.public_key(), [0; 32]];
        assert_eq!(key.evaluate_batch(&blinded, &mut OsRng), Err(BlindError::BadElement { index: 1 }));
    }

    #[test]
    fn only_a_canonical_scalar_other_than_zero_is_a_key() {
        for bad in [[0; 32], [0xff; 32]] {
            assert_eq!(SearchKey::from_bytes(&bad).err(), Some(SearchKeyError));
        }
        let key = SearchKey::generate(&mut OsRng);
        assert_eq!(SearchKey::from_bytes(&key.to_bytes()).unwrap().public_key(), key.public_key());
        assert_eq!(format!("{key:?}"), "SearchKey(..)");
    }
}
