//! The SRTP keys of a connection, taken from its DTLS handshake: str0m keeps them to itself, so its DTLS is wrapped.
//! Invariant: a slot is filled at most once, by the connection it was handed to.
//! Next: `srtp.rs`, what is done with the keys.

use std::cell::RefCell;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use str0m::Rtc;
use str0m::config::{CryptoProvider, DtlsCert};
use str0m::crypto::CryptoError;
use str0m::crypto::dtls::{
    DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion, KeyingMaterial, ProtocolVersion, SrtpProfile,
};

/// Keying material and the profile that says how to cut it.
type Exported = (Vec<u8>, SrtpProfile);

/// Where the keys appear once the handshake is done.
#[derive(Clone, Debug, Default)]
pub struct Slot(Arc<Mutex<Option<Exported>>>);

impl Slot {
    pub fn take(&self) -> Option<Exported> {
        self.0.lock().ok()?.take()
    }
}

thread_local! {
    /// The slot of the connection being built on this thread: str0m gives no other way to hand it over.
    static NEXT: RefCell<Option<Slot>> = const { RefCell::new(None) };
}

/// str0m's own crypto, except that DTLS tells its keys.
pub fn provider() -> CryptoProvider {
    let plain = str0m::crypto::from_feature_flags();
    let telling: &'static Telling = Box::leak(Box::new(Telling(plain.dtls_provider)));
    CryptoProvider { dtls_provider: telling, ..plain }
}

/// A certificate for all connections of this process: making one costs a millisecond.
pub fn certificate(provider: &CryptoProvider) -> Option<DtlsCert> {
    provider.dtls_provider.generate_certificate()
}

/// Builds a connection whose keys will appear in the slot.
pub fn build(config: str0m::RtcConfig, now: Instant) -> (Rtc, Slot) {
    let slot = Slot::default();
    NEXT.with(|next| next.replace(Some(slot.clone())));
    let rtc = config.build(now);
    NEXT.with(|next| next.replace(None));
    (rtc, slot)
}

#[derive(Debug)]
struct Telling(&'static dyn DtlsProvider);

impl DtlsProvider for Telling {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        self.0.generate_certificate()
    }

    fn new_dtls(
        &self,
        certificate: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let inner = self.0.new_dtls(certificate, now, version, mtu)?;
        let slot = NEXT.with(|next| next.borrow().clone()).unwrap_or_default();
        Ok(Box::new(TellingInstance { inner, slot }))
    }

    fn is_test(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct TellingInstance {
    inner: Box<dyn DtlsInstance>,
    slot: Slot,
}

impl DtlsInstance for TellingInstance {
    fn set_active(&mut self, active: bool) {
        self.inner.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        // Its clock stands still until the first packet; one that comes late would stall the handshake for seconds.
        self.inner.handle_timeout(Instant::now())?;
        self.inner.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        let output = self.inner.poll_output(buffer);
        if let DtlsOutput::KeyingMaterial(keys, profile) = &output
            && let Ok(mut slot) = self.slot.0.lock()
        {
            let keys: &KeyingMaterial = keys;
            *slot = Some((keys.to_vec(), *profile));
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
