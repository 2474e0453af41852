//! How much a client may send, and how many strangers' signatures are looked at: decided before anything is decrypted.
//! Owns a few token buckets per transport, of 8 bytes each, and its list of streams.
//! Invariant: each decision costs a few additions, however much was sent before; what is refused changes nothing else.
//! Next: `engine.rs` asks here for each datagram.

use std::hash::{BuildHasher, Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rustc_hash::{FxBuildHasher, FxHashMap};

use super::demux;
use crate::Role;
use crate::counters::DropReason;
use crate::limits::{
    CONTROL_PER_SECOND, Limits, REPORTS_PER_SECOND, SOURCES, SSRC_EVERY, SSRC_QUIET_FOR, SSRCS_PER_TRANSPORT,
    VERIFIED_PER_SECOND, VERIFIED_PER_SOURCE,
};

const SECOND: u64 = 1_000_000_000;

/// How often something may happen: nanoseconds that one takes of its time, and how far ahead it may run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    each: u64,
    ahead: u64,
}

impl Rate {
    /// So many a second, and as many as in `seconds` at once.
    pub(crate) const fn new(per_second: u64, seconds: u64) -> Self {
        Self { each: SECOND / if per_second == 0 { 1 } else { per_second }, ahead: seconds * SECOND }
    }

    /// One in this time, and so many at once.
    const fn one_in(time: Duration, at_once: usize) -> Self {
        let each = time.as_nanos() as u64;
        Self { each, ahead: each * at_once as u64 }
    }
}

/// Counts against a rate: the moment up to which what came has used the time up (the generic cell rate algorithm).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bucket(u64);

impl Bucket {
    /// Whether `count` more fit. `at` is in nanoseconds; what does not fit takes nothing.
    pub(crate) fn take(&mut self, rate: &Rate, at: u64, count: u64) -> bool {
        let used = self.0.max(at) + rate.each * count;
        let fits = used <= at + rate.ahead;
        if fits {
            self.0 = used;
        }
        fits
    }
}

/// What one client may send in a second.
#[derive(Debug)]
pub(crate) struct Rates {
    packets: Rate,
    /// Per 16 bytes: a nanosecond is too coarse for one.
    bytes: Rate,
    reports: Rate,
    control: Rate,
    streams: Rate,
    verified: Rate,
    verified_of_one: Rate,
}

impl Rates {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            packets: Rate::new(u64::from(limits.packets_per_second), 1),
            bytes: Rate::new(limits.bits_per_second / 8 / 16, 1),
            reports: Rate::new(REPORTS_PER_SECOND, 1),
            control: Rate::new(CONTROL_PER_SECOND, 2),
            streams: Rate::one_in(SSRC_EVERY, SSRCS_PER_TRANSPORT),
            verified: Rate::new(VERIFIED_PER_SECOND, 2),
            verified_of_one: Rate::new(VERIFIED_PER_SOURCE, 2),
        }
    }
}

/// What came from one transport's client lately.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    /// RTP and RTCP.
    packets: Bucket,
    bytes: Bucket,
    /// STUN and DTLS from addresses it has proven.
    control: Bucket,
    /// STUN for it from elsewhere: whoever floods it there must not keep the client itself from being heard.
    elsewhere: Bucket,
    new_streams: Bucket,
    /// The SSRCs it sends on, and when each was last heard.
    streams: FxHashMap<u32, u64>,
}

impl Intake {
    /// Whether to look at a check that is addressed to this transport; `known` if its client was there before.
    pub(crate) fn may_check(&mut self, rates: &Rates, at: u64, known: bool) -> bool {
        let bucket = if known { &mut self.control } else { &mut self.elsewhere };
        bucket.take(&rates.control, at, 1)
    }

    /// Whether to take a datagram other than STUN from this transport's client.
    pub(crate) fn admit(&mut self, rates: &Rates, role: Role, at: u64, datagram: &[u8]) -> Result<(), DropReason> {
        let fits = match (demux::is_rtp_or_rtcp(datagram), role) {
            (false, _) => self.control.take(&rates.control, at, 1),
            (true, Role::Receive) => self.packets.take(&rates.reports, at, 1),
            (true, Role::Send) => {
                let words = datagram.len().div_ceil(16) as u64;
                self.packets.take(&rates.packets, at, 1) && self.bytes.take(&rates.bytes, at, words)
            }
        };
        if !fits {
            return Err(DropReason::OverRate);
        }
        match demux::ssrc(datagram).filter(|_| role == Role::Send) {
            Some(ssrc) if !self.knows(rates, at, ssrc) => Err(DropReason::TooManyStreams),
            _ => Ok(()),
        }
    }

    /// Whether a stream is one of those this client may send. str0m remembers each for the life of the connection.
    fn knows(&mut self, rates: &Rates, at: u64, ssrc: u32) -> bool {
        if let Some(heard) = self.streams.get_mut(&ssrc) {
            *heard = at;
            return true;
        }
        if !self.new_streams.take(&rates.streams, at, 1) {
            return false;
        }
        if self.streams.len() >= SSRCS_PER_TRANSPORT {
            let quiet = SSRC_QUIET_FOR.as_nanos() as u64;
            self.streams.retain(|_, heard| at.saturating_sub(*heard) < quiet);
        }
        let fits = self.streams.len() < SSRCS_PER_TRANSPORT;
        if fits {
            self.streams.insert(ssrc, at);
        }
        fits
    }
}

/// How many checks for connections that nobody knows are verified: a second in all, and from one place.
pub(crate) struct Verified {
    all: Bucket,
    /// By a hash of the address that senders cannot foresee; those that share one share its rate.
    of_one: Box<[Bucket; SOURCES]>,
    seed: u64,
}

impl std::fmt::Debug for Verified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verified")
    }
}

impl Verified {
    pub(crate) fn new(seed: u64) -> Self {
        Self { all: Bucket::default(), of_one: Box::new([Bucket::default(); SOURCES]), seed }
    }

    /// Whether to verify a check from there.
    pub(crate) fn may(&mut self, rates: &Rates, at: u64, from: SocketAddr) -> bool {
        let mut hasher = FxBuildHasher.build_hasher();
        self.seed.hash(&mut hasher);
        match from.ip() {
            IpAddr::V4(v4) => v4.hash(&mut hasher),
            // Whoever has one address of a network of 64 bits has all of it.
            IpAddr::V6(v6) => v6.segments()[..4].hash(&mut hasher),
        }
        let of_one = &mut self.of_one[hasher.finish() as usize % SOURCES];
        of_one.take(&rates.verified_of_one, at, 1) && self.all.take(&rates.verified, at, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn rates() -> Rates {
        Rates::new(&Limits { packets_per_second: 1_000, bits_per_second: 8_000_000, ..Limits::default() })
    }

    fn rtp(ssrc: u32, length: usize) -> Vec<u8> {
        let mut packet = vec![0x80, 96, 0, 1, 0, 0, 0, 0];
        packet.extend(ssrc.to_be_bytes());
        packet.resize(length, 0);
        packet
    }

    /// How many of `per_ms` packets a millisecond are let through in a second, after the first.
    fn through(per_ms: u64, length: usize) -> usize {
        let (rates, mut intake) = (rates(), Intake::default());
        let packet = rtp(1, length);
        let mut admitted = 0;
        for ms in 0..2_000 {
            for _ in 0..per_ms {
                let taken = intake.admit(&rates, Role::Send, ms * MS, &packet).is_ok();
                admitted += usize::from(taken && ms >= 1_000);
            }
        }
        admitted
    }

    #[test]
    fn what_is_below_the_limits_passes_and_what_is_beyond_is_cut_to_them() {
        assert_eq!(through(1, 900), 1_000, "all of it");
        assert_eq!(through(5, 100), 1_000, "cut by packets");
        let by_bytes = through(3, 2_000);
        assert!((490..=510).contains(&by_bytes), "{by_bytes} of 2000 bytes at 1 MB/s");
    }

    #[test]
    fn a_burst_of_a_second_passes_at_once() {
        let (rates, mut intake) = (rates(), Intake::default());
        let taken = (0..5_000).filter(|_| intake.admit(&rates, Role::Send, 7, &rtp(1, 100)).is_ok()).count();
        assert_eq!(taken, 1_000);
    }

    #[test]
    fn a_client_with_ten_thousand_streams_keeps_its_first_and_gets_few_more() {
        let (rates, mut intake) = (rates(), Intake::default());
        let mut known = 0;
        for ssrc in 0..10_000 {
            // 100 a second; the first stream goes on all the time.
            let at = u64::from(ssrc) * 10 * MS;
            assert_eq!(intake.admit(&rates, Role::Send, at, &rtp(0, 100)), Ok(()));
            known += usize::from(intake.admit(&rates, Role::Send, at, &rtp(1 + ssrc, 100)).is_ok());
            assert!(intake.streams.len() <= SSRCS_PER_TRANSPORT);
        }
        assert!((SSRCS_PER_TRANSPORT..SSRCS_PER_TRANSPORT + 21).contains(&known), "{known} in 100 s");
    }

    #[test]
    fn rtcp_is_no_stream() {
        let (rates, mut intake) = (rates(), Intake::default());
        let mut report = rtp(9, 100);
        report[1] = 200;
        assert_eq!(intake.admit(&rates, Role::Send, 0, &report), Ok(()));
        assert!(intake.streams.is_empty());
    }

    #[test]
    fn who_floods_from_elsewhere_does_not_keep_the_client_from_being_heard() {
        let (rates, mut intake) = (rates(), Intake::default());
        let looked = (0..10_000).filter(|_| intake.may_check(&rates, 5, false)).count();
        assert_eq!(looked as u64, 2 * CONTROL_PER_SECOND);
        assert!(intake.may_check(&rates, 5, true));
    }

    #[test]
    fn strangers_checks_are_verified_up_to_a_bound_and_one_place_cannot_use_it_up() {
        let (rates, mut verified) = (rates(), Verified::new(7));
        let address = |n: u32| SocketAddr::from((n.to_be_bytes(), 9));
        let one = (0..100_000).filter(|_| verified.may(&rates, 5, address(1))).count();
        assert_eq!(one as u64, 2 * VERIFIED_PER_SOURCE);
        assert!((2..100).any(|n| verified.may(&rates, 5, address(n))), "others are heard");
        let all = one + (0..1_000_000).filter(|n| verified.may(&rates, 5, address(*n))).count();
        assert!(all as u64 <= 2 * VERIFIED_PER_SECOND, "{all}");
    }
}
