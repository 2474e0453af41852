//! DTLS of a connection whose keys another process agreed on: it says what a handshake would have said, and nothing else.
//! What DTLS itself needed, keys for records and their numbers, died with that process: its client can neither be told that
//! the connection ends nor tell us.

use std::fmt;
use std::time::{Duration, Instant};

use str0m::crypto::dtls::{DtlsImplError, DtlsInstance, DtlsOutput, KeyingMaterial, ProtocolVersion};

use crate::slot::Slot;

/// Nothing is ever due.
const NEVER: Duration = Duration::from_secs(365 * 86_400);

pub(crate) struct Repeated {
    slot: Slot,
    never: Instant,
    active: bool,
    closed: bool,
    next: Next,
}

/// What is said next.
#[derive(Clone, Copy)]
enum Next {
    Keys,
    Connected,
    Nothing,
}

impl Repeated {
    pub(crate) fn new(slot: Slot, now: Instant) -> Self {
        Self { slot, never: now + NEVER, active: false, closed: false, next: Next::Keys }
    }
}

impl fmt::Debug for Repeated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Repeated")
    }
}

impl DtlsInstance for Repeated {
    fn set_active(&mut self, active: bool) {
        self.active = active;
    }

    fn handle_packet(&mut self, _packet: &[u8]) -> Result<(), DtlsImplError> {
        Ok(())
    }

    fn poll_output<'a>(&mut self, _buf: &'a mut [u8]) -> DtlsOutput<'a> {
        match (self.next, self.slot.keys()) {
            (Next::Keys, Some((keys, profile))) => {
                self.next = Next::Connected;
                DtlsOutput::KeyingMaterial(KeyingMaterial::new(keys), *profile)
            }
            (Next::Connected, _) => {
                self.next = Next::Nothing;
                DtlsOutput::Connected
            }
            _ => DtlsOutput::Timeout(self.never),
        }
    }

    fn handle_timeout(&mut self, _now: Instant) -> Result<(), DtlsImplError> {
        Ok(())
    }

    fn send_application_data(&mut self, _data: &[u8]) -> Result<usize, DtlsImplError> {
        Ok(0)
    }

    fn is_active(&self) -> bool {
        self.active
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        None
    }

    fn is_closing(&self) -> bool {
        self.closed
    }

    fn is_closed(&self) -> bool {
        self.closed
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.closed = true;
        Ok(())
    }
}
