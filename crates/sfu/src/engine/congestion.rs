//! How much a subscriber's line carries: an estimate in bits per second from when our packets arrived, and which did not.
//! It starts hopeful, falls at the first sign of a queue or of heavy loss, and rises again by trying: with what is
//! forwarded when that comes near the estimate, else with bursts of padding.
//! Pure: told what was sent and what came back, it says what may be sent. Holds a bounded log of sent packets.
//! Next: `congestion/trend.rs` sees queues, `allocation.rs` spends the estimate.

pub(crate) mod arrivals;
mod trend;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use self::trend::{Delays, Trend};
use crate::limits::COPIES_AT_MOST;

/// The estimate before anything is known, in bit/s. Lower makes everyone begin with small pictures, higher fills the
/// queue of a slow line for the first half second.
const START: f64 = 5_000_000.0;
/// What any line is believed to carry, and what none is asked for.
const BOUNDS: (f64, f64) = (20_000.0, 100_000_000.0);

/// The log's clock ticks this often: finer than clients tell arrivals, and coarse enough for few bytes.
const TICK_US: u64 = 64;

/// Clients tell arrivals in this many microseconds (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1.5).
const ARRIVAL_US: u128 = 250;

/// Sent packets that are remembered: a second at 1000 a second. A report about older ones tells nothing any more.
const LOG: usize = 1_024;

/// Over which time the rate that gets through is measured.
const ACKED_OVER: Duration = Duration::from_millis(500);
/// After a cut the estimate is this share of what got through while the queue grew.
const CUT: f64 = 0.85;
/// Cuts are at least this far apart: the line must first show what the last one did.
const CUT_EVERY: Duration = Duration::from_millis(400);

/// Loss up to here is the line's own and no reason to send less; radio loses a tenth at bad times.
const LOSS_BORNE: f64 = 0.2;
/// Packets over which loss is looked at, at least: over fewer a tenth looks like a fifth too often.
const LOSS_PACKETS: usize = 60;

/// What is sent again goes in so many copies that no more than this share of all packets is lost with all of them:
/// waiting for another try is what freezes pictures.
const MISSED_TWICE: f64 = 1e-4;
/// One copy is enough soon after a queue was seen, as more would feed it.
const UNHURRIED: Duration = Duration::from_secs(2);

/// Growth per second while what is forwarded fills the estimate.
const GROWTH: f64 = 0.08;
/// From which share on the estimate counts as filled.
const FILLED: f64 = 0.7;

/// A probe is sent for this long at the rate it tries...
const PROBE_FOR: f64 = 0.02;
/// ...which is at most this many times the estimate, and the first time after a cut: it may have been a hiccup.
const PROBE_ABOVE: (f64, f64) = (2.0, 6.0);
/// Padding packets are this long, a probe has at least and at most so many.
pub(crate) const PADDING: usize = 224;
const PROBE_PACKETS: (usize, usize) = (6, 120);
/// Between probes; doubled after each that did not help, up to the second.
const PROBE_EVERY: (Duration, Duration) = (Duration::from_millis(700), Duration::from_secs(12));
/// A probe without an answer has failed after this time.
const PROBE_ANSWER: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Congestion {
    began: Instant,
    rate: f64,
    delays: Delays,

    /// Sent packets by number; the first has the number `next - log.len()`.
    log: VecDeque<Sent>,
    next: u64,
    /// What got through: when (on the client's clock) and how many bytes.
    acked: VecDeque<(u32, u16)>,
    acked_bytes: usize,
    acked_since: Option<Instant>,
    got: usize,
    lost: usize,
    /// The share that is lost, smoothed.
    loss: f64,
    copies: u8,
    reported_at: Option<Instant>,
    cut_at: Option<Instant>,

    probe: Option<Probe>,
    probed_at: Option<Instant>,
    /// Not since the last cut.
    probe_boldly: bool,
    probe_pause: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    /// On the log's clock, its lower part.
    at: u32,
    bytes: u16,
    probe: bool,
    /// Spoken of in a report, as arrived or not.
    told: bool,
}

/// A burst of padding on its way.
#[derive(Debug)]
struct Probe {
    rate: f64,
    sent_at: Instant,
    packets: usize,
    came: usize,
    came_bytes: usize,
    first: Option<Duration>,
    last: Duration,
}

impl Congestion {
    /// The first packet will have the number `next`.
    pub(crate) fn new(now: Instant, next: u64) -> Self {
        Self {
            began: now,
            rate: START,
            delays: Delays::new(),
            log: VecDeque::new(),
            next,
            acked: VecDeque::new(),
            acked_bytes: 0,
            acked_since: None,
            got: 0,
            lost: 0,
            loss: 0.0,
            copies: 1,
            reported_at: None,
            cut_at: None,
            probe: None,
            probed_at: None,
            probe_boldly: false,
            probe_pause: PROBE_EVERY.0,
        }
    }

    /// In bit/s. None until the client has said something: it may not speak this language.
    pub(crate) fn estimate(&self) -> Option<u64> {
        self.reported_at.map(|_| self.rate as u64)
    }

    /// How fast what waits for its turn may leave, in bit/s: as the estimate says; twice that on a line that has not shown yet
    /// where it ends, for the time of a picture or two. Browsers themselves send at 2.5 times their estimate (libwebrtc,
    /// modules/pacing/pacing_controller.h).
    pub(crate) fn pace(&self) -> u64 {
        let times = if self.cut_at.is_none() { 2.0 } else { 1.0 };
        (self.rate * times) as u64
    }

    /// The bytes that left in the last while, if the client reports arrivals at all.
    pub(crate) fn sent_within(&self, now: Instant, time: Duration) -> usize {
        let ticks = (time.as_micros() as u64 / TICK_US) as u32;
        let clock = self.clock(now) as u32;
        self.log.iter().rev().take_while(|sent| clock.wrapping_sub(sent.at) < ticks).map(|sent| usize::from(sent.bytes)).sum()
    }

    /// The share of packets that did not arrive, lately. None until the client has said something.
    pub(crate) fn loss(&self) -> Option<f32> {
        self.reported_at.map(|_| self.loss as f32)
    }

    /// In how many copies to send again what the line lost.
    pub(crate) fn copies(&self) -> u8 {
        self.copies
    }

    /// Whether it loses so much, though nothing piles up before it, that waiting for what is sent again freezes pictures.
    pub(crate) fn is_lossy(&self) -> bool {
        self.copies > 1
    }

    /// The number of the next packet, and how many there were.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// A packet leaves; returns its transport-wide number.
    pub(crate) fn sent(&mut self, now: Instant, bytes: usize) -> u16 {
        self.note(now, bytes, false)
    }

    fn note(&mut self, now: Instant, bytes: usize, probe: bool) -> u16 {
        let number = self.next as u16;
        self.next += 1;
        if self.log.len() == LOG {
            self.log.pop_front();
        }
        let at = self.clock(now) as u32;
        self.log.push_back(Sent { at, bytes: bytes.min(usize::from(u16::MAX)) as u16, probe, told: false });
        number
    }

    /// Ticks since the beginning.
    fn clock(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.began).as_micros() as u64 / TICK_US
    }

    /// A report came in; `body` is its part after the two SSRCs.
    pub(crate) fn hear(&mut self, now: Instant, body: &[u8]) {
        let mut rising = false;
        let clock = self.clock(now);
        arrivals::read(body, |number, arrived| {
            let Some(sent) = self.look_up(number) else { return };
            match arrived {
                // It may come yet: only a later report that repeats it would tell.
                None => self.lost += 1,
                Some(at) => {
                    self.got += 1;
                    self.count_acked(now, at, sent.bytes);
                    let age = u64::from((clock as u32).wrapping_sub(sent.at));
                    let sent_at = Duration::from_micros(clock.saturating_sub(age) * TICK_US);
                    rising |= self.delays.arrived(sent_at, at) == Trend::Rising;
                    if sent.probe
                        && let Some(probe) = &mut self.probe
                    {
                        probe.came += 1;
                        probe.came_bytes += usize::from(sent.bytes);
                        probe.first.get_or_insert(at);
                        probe.last = probe.last.max(at);
                    }
                }
            }
        });
        let since = self.reported_at.replace(now).map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.judge(now, rising, since.min(Duration::from_secs(1)));
        self.judge_probe(now);
        self.rate = self.rate.clamp(BOUNDS.0, BOUNDS.1);
    }

    /// The packet a number means, once: reports may overlap.
    fn look_up(&mut self, number: u16) -> Option<Sent> {
        let behind = (self.next as u16).wrapping_sub(number);
        let index = self.log.len().checked_sub(usize::from(behind)).filter(|_| behind > 0)?;
        let sent = self.log.get_mut(index)?;
        (!std::mem::replace(&mut sent.told, true)).then_some(*sent)
    }

    fn count_acked(&mut self, now: Instant, at: Duration, bytes: u16) {
        const OVER: u32 = (ACKED_OVER.as_micros() / ARRIVAL_US) as u32;
        let at = (at.as_micros() / ARRIVAL_US) as u32;
        self.acked_since.get_or_insert(now);
        self.acked.push_back((at, bytes));
        self.acked_bytes += usize::from(bytes);
        while let Some((first, bytes)) = self.acked.front().copied()
            && (at.saturating_sub(first) > OVER || self.acked.len() > LOG)
        {
            self.acked.pop_front();
            self.acked_bytes -= usize::from(bytes);
        }
    }

    /// What gets through, in bit/s.
    fn acked_rate(&self) -> f64 {
        self.acked_bytes as f64 * 8.0 / ACKED_OVER.as_secs_f64()
    }

    fn judge(&mut self, now: Instant, rising: bool, since: Duration) {
        let acked = self.acked_rate();
        // Over less than its window the rate that gets through is not known yet.
        let measured = self.acked_since.is_some_and(|at| now.saturating_duration_since(at) >= ACKED_OVER);
        let may_cut = measured && self.cut_at.is_none_or(|at| now.saturating_duration_since(at) >= CUT_EVERY);
        let total = self.got + self.lost;
        let judged = total >= LOSS_PACKETS;
        if judged {
            self.loss = f64::midpoint(self.loss, self.lost as f64 / total as f64);
            (self.got, self.lost) = (0, 0);
        }
        let loss = self.loss;
        if (rising || judged && loss > LOSS_BORNE) && may_cut {
            // A queue shows that more was sent than got through; of loss, half may be the line's own.
            let sent = acked / (1.0 - loss.min(0.9));
            let to = if rising { CUT * acked } else { sent * (1.0 - loss / 2.0) };
            self.rate = self.rate.min(to);
            self.cut_at = Some(now);
            self.probe_pause = PROBE_EVERY.0;
            self.probed_at = Some(now);
            self.probe_boldly = true;
        } else if !rising && loss <= LOSS_BORNE && may_cut && acked > FILLED * self.rate {
            self.rate *= 1.0 + GROWTH * since.as_secs_f64();
        }
        self.copies = self.copies_now(now);
    }

    fn copies_now(&self, now: Instant) -> u8 {
        let cut_lately = self.cut_at.is_some_and(|at| now.saturating_duration_since(at) < UNHURRIED);
        if cut_lately || self.loss <= 0.0 || self.loss > LOSS_BORNE {
            return 1;
        }
        // The packet itself was the first that may be lost.
        ((MISSED_TWICE.ln() / self.loss.ln()).ceil() - 1.0).clamp(1.0, f64::from(COPIES_AT_MOST)) as u8
    }

    fn judge_probe(&mut self, now: Instant) {
        let Some(probe) = &self.probe else { return };
        let late = now.saturating_duration_since(probe.sent_at) > PROBE_ANSWER;
        if probe.came < probe.packets && !late {
            return;
        }
        let enough = probe.came * 10 >= probe.packets * 8;
        let spread = probe.first.map_or(Duration::ZERO, |first| probe.last.saturating_sub(first)).as_secs_f64();
        // The first packet's own time on the line is not within the spread.
        let share = (probe.came.saturating_sub(1)) as f64 / probe.came.max(1) as f64;
        let measured = if spread > 0.0 { probe.came_bytes as f64 * share * 8.0 / spread } else { probe.rate };
        let measured = measured.min(probe.rate);
        if enough && measured > self.rate * 1.1 {
            // Not all of what a burst measures is there to stay.
            self.rate = self.rate.max(measured * 0.9);
            self.probe_pause = PROBE_EVERY.0;
        } else {
            self.probe_pause = (self.probe_pause * 2).min(PROBE_EVERY.1);
        }
        self.probe = None;
    }

    /// What padding to send now to find out whether the line carries `wanted` bit/s: the numbers of the packets, each of
    /// `PADDING` bytes and `overhead`. Empty if there is no need, or it is too soon.
    pub(crate) fn probe(&mut self, now: Instant, wanted: u64, overhead: usize) -> Vec<u16> {
        let rested = self.probed_at.is_none_or(|at| now.saturating_duration_since(at) >= self.probe_pause);
        self.judge_probe(now);
        if self.reported_at.is_none() || wanted as f64 <= self.rate || !rested || self.probe.is_some() {
            return Vec::new();
        }
        let above = if std::mem::take(&mut self.probe_boldly) { PROBE_ABOVE.1 } else { PROBE_ABOVE.0 };
        let rate = (wanted as f64 * 1.2).min(self.rate * above);
        let bytes = PADDING + overhead;
        let packets = ((rate * PROBE_FOR / 8.0 / bytes as f64) as usize).clamp(PROBE_PACKETS.0, PROBE_PACKETS.1);
        self.probed_at = Some(now);
        self.probe = Some(Probe { rate, sent_at: now, packets, came: 0, came_bytes: 0, first: None, last: Duration::ZERO });
        (0..packets).map(|_| self.note(now, bytes, true)).collect()
    }
}

#[cfg(test)]
mod tests;
