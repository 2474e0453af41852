//! What is to be heard in a file: read back without our own writer, decoded, and asked for tones.

use std::f32::consts::TAU;

/// Samples of 48 kHz, one channel, from the beginning of a file with Opus.
pub fn decode(webm: &[u8]) -> Vec<f32> {
    let mut decoder = ruopus::OpusDecoder::new(1);
    let mut samples = Vec::new();
    for (at_ms, packet) in blocks(webm) {
        let at = (at_ms * 48) as usize;
        assert!(samples.len().abs_diff(at) <= 96, "a block at {at_ms} ms follows {} ms of sound", samples.len() / 48);
        samples.extend(decoder.decode_packet(&packet).unwrap());
    }
    samples
}

/// The blocks of a WebM: their milliseconds, and what is in them.
pub fn blocks(bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let (mut found, mut cluster, mut at) = (Vec::new(), 0, 0);
    while at + 9 < bytes.len() {
        let name = 1 + bytes[at].leading_zeros() as usize;
        let size = u64::from_be_bytes(bytes[at + name..at + name + 8].try_into().unwrap()) & 0x00ff_ffff_ffff_ffff;
        let content = at + name + 8;
        let holds = matches!(&bytes[at..at + name], [0x18, 0x53, 0x80, 0x67] | [0x1f, 0x43, 0xb6, 0x75]);
        let end = if holds { content } else { (content + size as usize).min(bytes.len()) };
        match bytes[at] {
            0xe7 => cluster = u64::from_be_bytes(bytes[content..end].try_into().unwrap()),
            0xa3 => {
                let since = u16::from_be_bytes([bytes[content + 1], bytes[content + 2]]);
                found.push((cluster + u64::from(since), bytes[content + 4..end].to_vec()));
            }
            _ => {}
        }
        at = end;
    }
    found
}

/// How much of a tone there is: its amplitude (one bin of a discrete Fourier transform).
pub fn tone(samples: &[f32], hertz: f32) -> f32 {
    let (mut real, mut imaginary) = (0.0, 0.0);
    for (at, sample) in samples.iter().enumerate() {
        let angle = TAU * hertz * at as f32 / 48_000.0;
        real += sample * angle.cos();
        imaginary += sample * angle.sin();
    }
    2.0 * (real * real + imaginary * imaginary).sqrt() / samples.len().max(1) as f32
}

/// From when to when a tone is heard, in milliseconds, to 20 ms.
pub fn heard(samples: &[f32], hertz: f32) -> Vec<(usize, usize)> {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for (n, piece) in samples.chunks(960).enumerate() {
        if tone(piece, hertz) < 0.1 {
            continue;
        }
        match spans.last_mut() {
            Some((_, end)) if *end == n * 20 => *end += 20,
            _ => spans.push((n * 20, n * 20 + 20)),
        }
    }
    spans
}
