//! What a packet of Opus says of itself (RFC 6716 section 3), and packets of silence. Pure.

/// The longest packet that is taken, in bytes; a packet of the network is shorter.
const LONGEST: usize = 1_500;

/// Length of silence in one packet, in microseconds.
pub const SILENCE: i64 = 20_000;

/// Twenty milliseconds of silence, of the kind without which decoders would invent something.
pub const SILENT: [u8; 3] = [0xf8, 0xff, 0xfe];

/// How long the sound in a packet is, in microseconds. None if it is no packet.
pub fn duration(packet: &[u8]) -> Option<i64> {
    let toc = *packet.first()?;
    if packet.len() > LONGEST {
        return None;
    }
    let config = toc >> 3;
    let frame = match config {
        0..=11 => [10_000, 20_000, 40_000, 60_000][usize::from(config % 4)],
        12..=15 => [10_000, 20_000][usize::from(config % 2)],
        _ => [2_500, 5_000, 10_000, 20_000][usize::from(config % 4)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => i64::from(packet.get(1)? & 63),
    };
    let all = frame * frames;
    (1..=120_000).contains(&all).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_as_the_rfc_says() {
        let of = |packet: &[u8]| duration(packet);
        assert_eq!(of(&SILENT), Some(SILENCE));
        assert_eq!(of(&[8 << 3 | 3, 2, 0]), Some(20_000), "two of ten");
        assert_eq!(of(&[3 << 3, 0]), Some(60_000));
        assert_eq!(of(&[13 << 3 | 1, 0]), Some(40_000));
        assert_eq!(of(&[16 << 3, 0]), Some(2_500));
        assert_eq!([of(&[]), of(&[3]), of(&[3, 0]), of(&[31 << 3 | 3, 63])], [None; 4]);
    }
}
