//! The time of day as RTCP writes it.

use std::time::Duration;

/// Where RTP and Unix time meet NTP, which starts in 1900 (RFC 3550 section 4).
pub(crate) const NTP_BEFORE_UNIX: u64 = 2_208_988_800;

/// The middle 32 bits of an NTP timestamp, from the time since 1970.
pub(crate) fn short_ntp(wall: Duration) -> u32 {
    let seconds = (wall.as_secs() + NTP_BEFORE_UNIX) as u32;
    let fraction = (u64::from(wall.subsec_nanos()) << 16) / 1_000_000_000;
    seconds << 16 | fraction as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_an_ntp_time_is_seconds_since_1900_and_their_fraction() {
        // 1 January 1970 is 0x83aa7e80 in NTP seconds.
        assert_eq!(short_ntp(Duration::from_millis(1_500)), 0x7e81_8000);
    }
}
