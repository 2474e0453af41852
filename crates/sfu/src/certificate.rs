//! What clients know the server by: its fingerprint is in each description of ours, and DTLS proves it.
//! It does not show in logs.

use std::fmt;

use str0m::config::DtlsCert;

/// A certificate with its private key, both as DER.
#[derive(Clone)]
pub struct Certificate {
    /// Self-signed.
    pub certificate: Vec<u8>,
    /// PKCS #8, or as SEC 1 has keys of elliptic curves.
    pub private_key: Vec<u8>,
}

impl Certificate {
    /// A new one. None if the crypto library cannot make any.
    pub fn fresh() -> Option<Self> {
        let DtlsCert { certificate, private_key } = salon_srtp::crypto().dtls_provider.generate_certificate()?;
        Some(Self { certificate, private_key })
    }
}

impl From<Certificate> for DtlsCert {
    fn from(Certificate { certificate, private_key }: Certificate) -> Self {
        Self { certificate, private_key }
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate")
    }
}
