//! What a subscriber's report says about one stream (RFC 3550 section 6.4.1).

use std::time::Duration;

/// More than this is no time a packet takes there and back, but a clock that was set or a lie.
const PLAUSIBLE: Duration = Duration::from_secs(30);

/// One block of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reception {
    pub ssrc: u32,
    /// Of the packets since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Since the stream began; 0 where repeated packets make it negative.
    pub lost: u32,
    /// In ticks of the stream's clock.
    pub jitter: u32,
    /// The middle of the NTP time of our last sender report that it got, 0 if none.
    pub sent: u32,
    /// How long ago it got that, in 1/65536 s.
    pub held: u32,
}

impl Reception {
    pub(crate) fn read(block: &[u8; 24]) -> Self {
        let word = |at: usize| u32::from_be_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
        let negative = block[5] & 0x80 != 0;
        Self {
            ssrc: word(0),
            fraction_lost: block[4],
            lost: if negative { 0 } else { word(4) & 0x00ff_ffff },
            jitter: word(12),
            sent: word(16),
            held: word(20),
        }
    }

    /// How long our last report and this took together, with the present in the form that reports have.
    pub(crate) fn rtt(&self, wall: u32) -> Option<Duration> {
        if self.sent == 0 {
            return None;
        }
        let units = wall.wrapping_sub(self.sent).wrapping_sub(self.held);
        // Less than nothing, by a rounding of ours and theirs.
        let units = if units > u32::MAX - 66 { 0 } else { units };
        let rtt = Duration::from_secs_f64(f64::from(units) / 65_536.0);
        (rtt <= PLAUSIBLE).then_some(rtt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_read_and_a_negative_loss_is_none() {
        let mut block = [0; 24];
        block[3] = 7;
        block[4..8].copy_from_slice(&[128, 0, 1, 2]);
        block[15] = 9;
        block[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 0, 0x80, 0]);
        let read = Reception::read(&block);
        assert_eq!(read, Reception { ssrc: 7, fraction_lost: 128, lost: 258, jitter: 9, sent: 0x1_0000, held: 0x8000 });
        block[5] = 0xff;
        assert_eq!(Reception::read(&block).lost, 0);
    }

    #[test]
    fn the_time_there_and_back_is_never_a_guess() {
        let report = Reception { ssrc: 1, fraction_lost: 0, lost: 0, jitter: 0, sent: 0xffff_0000, held: 0x8000 };
        assert_eq!(report.rtt(0x0000_0000), Some(Duration::from_millis(500)), "over the end of the counter");
        assert_eq!(report.rtt(0xffff_7fff), Some(Duration::ZERO), "rounded below nothing");
        assert_eq!(report.rtt(0xfff0_0000), None, "from the past");
        assert_eq!(Reception { sent: 0, ..report }.rtt(5), None, "it got no report of ours");
    }
}
