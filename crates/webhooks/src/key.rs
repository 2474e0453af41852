//! The key pair that signs what is told: one for the whole service, made when it is first needed, kept in the store.
//! Invariant: all nodes of a database have the same, for good: receivers fetch the public half once and keep it.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use salon_store::Store;
use tokio::sync::OnceCell;

/// Where the private half lies in the store, beside the other secrets.
const SETTING: &str = "webhook_key";

/// The key, once it is there.
#[derive(Clone)]
pub struct Key {
    store: Store,
    pair: Arc<OnceCell<Pair>>,
}

/// Signs, and says what its signatures are checked with.
pub(crate) struct Pair {
    private: KeyPair,
    /// SubjectPublicKeyInfo as PEM.
    public: String,
}

impl Key {
    pub fn new(store: Store) -> Self {
        Self { store, pair: Arc::default() }
    }

    /// What signatures are checked with: SubjectPublicKeyInfo as PEM.
    pub async fn public(&self) -> anyhow::Result<String> {
        Ok(self.pair().await?.public.clone())
    }

    pub(crate) async fn pair(&self) -> anyhow::Result<&Pair> {
        self.pair.get_or_try_init(|| self.load_or_make()).await
    }

    async fn load_or_make(&self) -> anyhow::Result<Pair> {
        let kept = match self.store.setting(SETTING).await? {
            Some(kept) => kept,
            None => {
                // It takes a fifth of a second or more.
                let made = tokio::task::spawn_blocking(make).await.context("making a key was cut off")??;
                self.store.setting_or_insert(SETTING, &made).await?
            }
        };
        Pair::read(&kept)
    }
}

pub(crate) fn make() -> anyhow::Result<String> {
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| anyhow!("a key cannot be made"))?;
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(|_| anyhow!("a key cannot be written"))?;
    Ok(STANDARD.encode(der.as_ref()))
}

impl Pair {
    pub fn read(kept: &str) -> anyhow::Result<Self> {
        let der = STANDARD.decode(kept).context("the stored key of webhooks is not base64")?;
        let private = KeyPair::from_pkcs8(&der).map_err(|_| anyhow!("the stored key of webhooks is no RSA key"))?;
        let public = AsDer::<PublicKeyX509Der<'_>>::as_der(private.public_key());
        let public = pem(public.map_err(|_| anyhow!("the key of webhooks has no public half"))?.as_ref());
        Ok(Self { private, public })
    }

    /// RSA PKCS#1 v1.5 over the SHA-256 of `body`, in base64.
    pub fn sign(&self, body: &[u8]) -> String {
        let mut signature = vec![0; self.private.public_modulus_len()];
        let signed = self.private.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), body, &mut signature);
        signed.expect("a key that was read can sign");
        STANDARD.encode(signature)
    }
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.extend(line.iter().map(|letter| char::from(*letter)));
        pem.push('\n');
    }
    pem + "-----END PUBLIC KEY-----\n"
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;

    #[test]
    fn what_is_signed_is_checked_with_the_public_half() {
        let kept = make().expect("a key is made");
        let (pair, same) = (Pair::read(&kept).expect("it is read"), Pair::read(&kept).expect("it is read again"));
        assert_eq!(pair.public, same.public);
        let lines: Vec<&str> = pair.public.lines().collect();
        assert_eq!((lines[0], lines[lines.len() - 1]), ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"));
        let der = STANDARD.decode(lines[1..lines.len() - 1].concat()).expect("base64");
        let signature = STANDARD.decode(pair.sign(b"{\"event\":1}")).expect("base64");
        assert_eq!(signature.len(), 256);
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der);
        assert!(public.verify(b"{\"event\":1}", &signature).is_ok());
        assert!(public.verify(b"{\"event\":2}", &signature).is_err());
        assert!(Pair::read("x").is_err());
    }
}
