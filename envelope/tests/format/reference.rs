//! A second writer and reader of the format, as plain as can be: whole buffers, the layout written out as the specification's tables say, nothing
//! shared with the crate. Properties compare the crate with it, and vectors that our writer would not make come from here.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf;
use sha2::{Digest, Sha256};

pub struct Reference<'a> {
    pub key: [u8; 32],
    pub message_id: [u8; 32],
    pub context: [(&'a str, &'a str); 3],
    pub wrapped_key: [&'a [u8]; 3],
    pub frame_bytes: usize,
}

struct Length32;

impl hkdf::KeyType for Length32 {
    fn len(&self) -> usize {
        32
    }
}

impl Reference<'_> {
    fn derive(&self, info: &[&[u8]]) -> [u8; 32] {
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA512, &self.message_id).extract(&self.key);
        let mut derived = [0; 32];
        prk.expand(info, Length32).unwrap().fill(&mut derived).unwrap();
        derived
    }

    fn cipher(&self) -> LessSafeKey {
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &self.derive(&[&[0x04, 0x78], b"DERIVEKEY"])).unwrap())
    }

    pub fn header(&self) -> Vec<u8> {
        let counted = |field: &[u8]| [&u16::try_from(field.len()).unwrap().to_be_bytes()[..], field].concat();
        let mut pairs = vec![0, 3];
        for (name, value) in self.context {
            pairs.extend([counted(name.as_bytes()), counted(value.as_bytes())].concat());
        }
        let mut header = [&[0x02, 0x04, 0x78][..], &self.message_id, &counted(&pairs), &[0, 1]].concat();
        self.wrapped_key.iter().for_each(|field| header.extend(counted(field)));
        header.push(0x02);
        header.extend(u32::try_from(self.frame_bytes).unwrap().to_be_bytes());
        header.extend(self.derive(&[b"COMMITKEY"]));
        let tag = self
            .cipher()
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key([0; 12]), Aad::from(&header), &mut [])
            .unwrap();
        header.extend(tag.as_ref());
        header
    }

    /// The body's frames. A plaintext that ends on a frame's border ends in a full final frame, or in an empty one after it.
    pub fn frames(&self, plaintext: &[u8], empty_final: bool) -> Vec<Vec<u8>> {
        let mut contents: Vec<&[u8]> = plaintext.chunks(self.frame_bytes).collect();
        if contents.is_empty() || (empty_final && plaintext.len().is_multiple_of(self.frame_bytes)) {
            contents.push(&[]);
        }
        let last = contents.len();
        contents
            .into_iter()
            .zip(1..)
            .map(|(content, number)| self.frame(content, number, number as usize == last))
            .collect()
    }

    fn frame(&self, content: &[u8], number: u32, is_final: bool) -> Vec<u8> {
        let iv = [&[0; 8][..], &number.to_be_bytes()].concat();
        let kind = if is_final { "AWSKMSEncryptionClient Final Frame" } else { "AWSKMSEncryptionClient Frame" };
        let length = content.len() as u64;
        let aad = [&self.message_id[..], kind.as_bytes(), &number.to_be_bytes(), &length.to_be_bytes()].concat();
        let mut sealed = content.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(&iv).unwrap();
        self.cipher().seal_in_place_append_tag(nonce, Aad::from(aad), &mut sealed).unwrap();
        let number = number.to_be_bytes();
        if is_final {
            let length = u32::try_from(length).unwrap().to_be_bytes();
            [&[0xff; 4][..], &number, &iv, &length, &sealed].concat()
        } else {
            [&number[..], &iv, &sealed].concat()
        }
    }
}

/// RFC 6962 section 2.1, as it is written there.
pub fn merkle_root(leaves: &[Vec<u8>]) -> [u8; 32] {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => Sha256::digest([&[0][..], leaf].concat()).into(),
        _ => {
            let split = leaves.len().next_power_of_two() / 2;
            let (left, right) = leaves.split_at(split);
            Sha256::digest([&[1][..], &merkle_root(left), &merkle_root(right)].concat()).into()
        }
    }
}
