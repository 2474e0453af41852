//! The SRTP keys of connections whose sending side is ours: overheard where the DTLS library hands them to str0m.
//! str0m keeps the keys to itself, but lets the DTLS library be replaced; this one passes everything on and notes
//! the keys in a `Slot`.
//! Next: `srtp.rs` seals with them.

use std::cell::RefCell;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use str0m::config::CryptoProvider;
use str0m::crypto::CryptoError;
use str0m::crypto::dtls::{
    DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, KeyingMaterial, ProtocolVersion, SrtpProfile,
};

/// Where the keys of one connection appear when its handshake is done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slot(Arc<OnceLock<(KeyingMaterial, SrtpProfile)>>);

impl Slot {
    /// As after a handshake.
    #[cfg(feature = "inside")]
    pub(crate) fn with(keys: KeyingMaterial, profile: SrtpProfile) -> Self {
        Self(Arc::new(OnceLock::from((keys, profile))))
    }

    pub(crate) fn keys(&self) -> Option<&(KeyingMaterial, SrtpProfile)> {
        self.0.get()
    }
}

thread_local! {
    /// str0m makes the DTLS instance while it builds an `Rtc`, with no word from us; this carries the slot there.
    static LISTENING: RefCell<Option<Slot>> = const { RefCell::new(None) };
}

/// Runs `build`; the keys of the connection that it makes will appear in the slot.
pub(crate) fn overhear<R>(build: impl FnOnce() -> R) -> (R, Slot) {
    let slot = Slot::default();
    LISTENING.set(Some(slot.clone()));
    let built = build();
    LISTENING.set(None);
    (built, slot)
}

/// The crypto library, with its DTLS overheard.
pub(crate) fn crypto() -> CryptoProvider {
    static PROVIDER: OnceLock<Overheard> = OnceLock::new();
    let crypto = str0m::crypto::from_feature_flags();
    let dtls_provider = PROVIDER.get_or_init(|| Overheard(crypto.dtls_provider));
    CryptoProvider { dtls_provider, ..crypto }
}

#[derive(Debug)]
struct Overheard(&'static dyn DtlsProvider);

impl DtlsProvider for Overheard {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        self.0.generate_certificate()
    }

    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let inner = self.0.new_dtls(cert, now, version, mtu)?;
        Ok(match LISTENING.take() {
            Some(slot) => Box::new(Instance { inner, slot }),
            None => inner,
        })
    }

    fn is_test(&self) -> bool {
        self.0.is_test()
    }
}

#[derive(Debug)]
struct Instance {
    inner: Box<dyn DtlsInstance>,
    slot: Slot,
}

impl DtlsInstance for Instance {
    fn set_active(&mut self, active: bool) {
        self.inner.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.inner.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buf: &'a mut [u8]) -> DtlsOutput<'a> {
        let output = self.inner.poll_output(buf);
        if let DtlsOutput::KeyingMaterial(keys, profile) = &output {
            // Only the first: a later handshake on the same connection is not a thing in WebRTC.
            let _ = self.slot.0.set((KeyingMaterial::new(keys), *profile));
        }
        output
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.inner.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.inner.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.inner.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.inner.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.inner.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.inner.close()
    }
}
