//! Opens `config/credentials.yml.enc`, which holds an application's secrets.

use zeroize::Zeroizing;

use super::marshal;
use crate::aes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The longest file that is opened, in bytes.
const LONGEST: usize = 1 << 20;

/// The YAML in `sealed`, the content of `credentials.yml.enc`, by `key`, that of `master.key`: 32
/// hexadecimal digits (`EncryptedFile` in Active Support's encrypted_file.rb, 5.2 to 8.1). `None`
/// where the key is another's, or the file is not such a one.
#[must_use]
pub fn open_credentials(sealed: &str, key: &str) -> Option<Zeroizing<Vec<u8>>> {
    if sealed.len() > LONGEST {
        return None;
    }
    let key = unhex(key.trim())?;
    let [data, nonce, tag] = sealed.trim().split("--").collect::<Vec<_>>()[..] else {
        return None;
    };
    let decode = |text: &str| STANDARD.decode(text).ok();
    let tag = decode(tag).filter(|tag| tag.len() == 16)?;
    let plain = aes::decrypt_gcm(key.as_slice(), &decode(nonce)?, &decode(data)?, &tag)?;
    marshal::text(&plain).map(Zeroizing::new)
}

fn unhex(text: &str) -> Option<Zeroizing<[u8; 16]>> {
    let mut key = Zeroizing::new([0; 16]);
    if text.len() != 32 || !text.is_ascii() {
        return None;
    }
    let pairs = text.as_bytes().chunks_exact(2);
    for (byte, pair) in key.iter_mut().zip(pairs) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(key)
}
