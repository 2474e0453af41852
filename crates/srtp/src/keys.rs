//! The SRTP keys of connections whose media does not go through str0m: overheard where the DTLS library hands them to it.
//! str0m keeps the keys to itself, but lets the DTLS library be replaced; this is the one it would use, with two
//! differences: it notes the keys in a `Slot`, and it does not prove the crypto library anew for each connection.
//! Next: `repeat.rs` for connections that have their keys already, `seal.rs` and `open.rs` for what is done with them.

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use crate::repeat::Repeated;
use crate::slot::Slot;
use str0m::config::CryptoProvider;
use str0m::crypto::CryptoError;
use str0m::crypto::dtls::{
    DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, KeyingMaterial, ProtocolVersion,
};

thread_local! {
    /// str0m makes the DTLS instance while it builds an `Rtc`, with no word from us; this carries the slot there.
    static LISTENING: RefCell<Option<Slot>> = const { RefCell::new(None) };
    /// The same for keys that are known.
    static KNOWN: RefCell<Option<Slot>> = const { RefCell::new(None) };
}

/// Runs `build`; the keys of the connection that it makes will appear in the slot.
pub fn overhear<R>(build: impl FnOnce() -> R) -> (R, Slot) {
    let slot = Slot::default();
    LISTENING.set(Some(slot.clone()));
    let built = build();
    LISTENING.set(None);
    (built, slot)
}

/// Runs `build`; the connection that it makes has these keys, without a handshake: its client knows them.
pub fn repeat<R>(slot: &Slot, build: impl FnOnce() -> R) -> R {
    KNOWN.set(Some(slot.clone()));
    let built = build();
    KNOWN.set(None);
    built
}

/// The crypto library, with its DTLS overheard.
pub fn crypto() -> CryptoProvider {
    static PROVIDER: OnceLock<Overheard> = OnceLock::new();
    let crypto = str0m::crypto::from_feature_flags();
    let dtls_provider = PROVIDER.get_or_init(|| Overheard { certificates: crypto.dtls_provider, common: Mutex::new(None) });
    CryptoProvider { dtls_provider, ..crypto }
}

#[derive(Debug)]
struct Overheard {
    certificates: &'static dyn DtlsProvider,
    /// What connections share, with the MTU it is for. dimpl runs each key exchange and signature once when it makes
    /// this, which costs more than a whole handshake.
    common: Mutex<Option<(Option<usize>, Arc<dimpl::Config>)>>,
}

impl Overheard {
    fn common(&self, mtu: Option<usize>) -> Result<Arc<dimpl::Config>, CryptoError> {
        let mut common = self.common.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some((_, config)) = common.as_ref().filter(|(of, _)| *of == mtu) {
            return Ok(config.clone());
        }
        // ICE has proven that the client can be reached; a cookie would prove it again, a round trip later.
        let builder = dimpl::Config::builder().use_server_cookie(false);
        let builder = if let Some(mtu) = mtu { builder.mtu(mtu) } else { builder };
        let config = Arc::new(builder.build().map_err(|error| CryptoError::Other(error.to_string()))?);
        *common = Some((mtu, config.clone()));
        Ok(config)
    }
}

impl DtlsProvider for Overheard {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        self.certificates.generate_certificate()
    }

    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        if let Some(slot) = KNOWN.take() {
            return Ok(Box::new(Repeated::new(slot, now)));
        }
        let (certificate, private_key) = (cert.certificate.clone(), cert.private_key.clone());
        let cert = dimpl::DtlsCertificate { certificate, private_key };
        let dtls = match version {
            DtlsVersion::Dtls12 => dimpl::Dtls::new_12(self.common(mtu)?, cert, now),
            other => return Err(CryptoError::Other(format!("{other} is not what Salon speaks"))),
        };
        Ok(Box::new(Instance { dtls, slot: LISTENING.take().unwrap_or_default() }))
    }
}

struct Instance {
    dtls: dimpl::Dtls,
    slot: Slot,
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Instance")
    }
}

impl DtlsInstance for Instance {
    fn set_active(&mut self, active: bool) {
        self.dtls.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.dtls.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        let output = self.dtls.poll_output(buf);
        if let DtlsOutput::KeyingMaterial(keys, profile) = &output {
            self.slot.set(KeyingMaterial::new(keys), *profile);
        }
        output
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.dtls.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.dtls.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.dtls.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.dtls.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.dtls.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.dtls.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.dtls.close()
    }
}
