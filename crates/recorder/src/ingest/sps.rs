//! How large the pictures of an H264 stream are, by its sequence parameter set (ITU-T H.264 section 7.3.2.1.1). Pure.
//! Invariant: whatever comes in, nothing is read beyond its end, and no loop is longer than what is there.

/// The first set in what decoders need before anything (ISO/IEC 14496-15 section 5.3.3.1): width and height in pixels.
pub fn size(setup: &[u8]) -> Option<(u32, u32)> {
    let &[1, _, _, _, _, sets, ..] = setup else { return None };
    let length = usize::from(u16::from_be_bytes(*setup.get(6..)?.first_chunk()?));
    (sets & 31 > 0).then(|| read(setup.get(8..8 + length)?)).flatten()
}

fn read(unit: &[u8]) -> Option<(u32, u32)> {
    // A byte of three after two zeros is there to be left out.
    let mut bytes = Vec::with_capacity(unit.len());
    for byte in unit {
        if !(*byte == 3 && bytes.ends_with(&[0, 0])) {
            bytes.push(*byte);
        }
    }
    let profile = *bytes.get(1)?;
    let mut bits = Bits { bytes: bytes.get(4..)?, at: 0 };
    bits.number()?;
    let mut chroma = 1;
    let mut is_split = false;
    if [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135].contains(&profile) {
        chroma = bits.number()?;
        if chroma == 3 {
            is_split = bits.bit()? == 1;
        }
        bits.number()?;
        bits.number()?;
        bits.bit()?;
        if bits.bit()? == 1 {
            for n in 0..if chroma == 3 { 12 } else { 8 } {
                if bits.bit()? == 1 {
                    bits.skip_scaling(if n < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    bits.number()?;
    match bits.number()? {
        0 => drop(bits.number()?),
        1 => {
            bits.bit()?;
            bits.number()?;
            bits.number()?;
            for _ in 0..bits.number()?.min(256) {
                bits.number()?;
            }
        }
        _ => {}
    }
    bits.number()?;
    bits.bit()?;
    let (wide, high) = (bits.number()?, bits.number()?);
    let fields = 2 - bits.bit()?;
    if fields == 2 {
        bits.bit()?;
    }
    bits.bit()?;
    let mut cut = [0; 4];
    if bits.bit()? == 1 {
        for side in &mut cut {
            *side = bits.number()?;
        }
    }
    let (across, down) = match chroma {
        1 if !is_split => (2, 2),
        2 if !is_split => (2, 1),
        _ => (1, 1),
    };
    let side = |blocks: u32, fields: u32, unit: u32, cut: [u32; 2]| {
        let whole = u64::from(blocks.checked_add(1)?) * 16 * u64::from(fields);
        let less = (u64::from(cut[0]) + u64::from(cut[1])) * u64::from(unit * fields);
        u32::try_from(whole.checked_sub(less)?).ok().filter(|side| (1..=16_384).contains(side))
    };
    Some((side(wide, 1, across, [cut[0], cut[1]])?, side(high, fields, down, [cut[2], cut[3]])?))
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<u32> {
        let bit = self.bytes.get(self.at / 8)? >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit.into())
    }

    /// As many zeros as bits follow a one (section 9.1).
    fn number(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let mut number = 1_u64;
        for _ in 0..zeros {
            number = number << 1 | u64::from(self.bit()?);
        }
        u32::try_from(number - 1).ok()
    }

    /// A list of factors (section 7.3.2.1.1.1).
    fn skip_scaling(&mut self, length: usize) -> Option<()> {
        let (mut last, mut next) = (8_i64, 8_i64);
        for _ in 0..length {
            if next != 0 {
                let coded = i64::from(self.number()?);
                let step = if coded % 2 == 1 { (coded + 1) / 2 } else { -(coded / 2) };
                next = (last + step).rem_euclid(256);
            }
            last = if next == 0 { last } else { next };
        }
        Some(())
    }
}
