//! AV1's dependency descriptor (AOM, RTP Payload Format For AV1, appendix A), a header extension: the number of a frame, its
//! spatial layer by the templates of the last key frame, and which layers are sent.
//! Read once per packet; written per consumer with its own frame number and, if it gets fewer layers, with those only.
//! Invariant: what a consumer gets differs from what came in that number and that mask alone.
//! Next: `av1.rs` makes a `Descriptor` of it, `../egress.rs` writes it.

use std::sync::Arc;

use str0m::rtp::{ExtensionSerializer, ExtensionValues};

use super::ids::Ids;

/// Bounds of the format: template ids have 6 bits, spatial ids 2, temporal ids 3 and decode targets are a 32-bit mask.
const TEMPLATES: usize = 64;
const SPATIAL_LAYERS: u8 = 4;
const TEMPORAL_LAYERS: u8 = 8;

/// The part that all descriptors have: flags and template, then the frame number.
const MANDATORY_BITS: usize = 24;
/// The five flags that say what follows, if anything does.
const FLAGS: usize = 5;
/// Of these: the mask of decode targets that are sent.
const HAS_MASK: u32 = 0b01000;

/// A descriptor as it came in the header extension; what str0m hands us and, in a client, sends.
#[derive(Clone, Debug)]
pub(crate) struct Carried(pub Box<[u8]>);

/// Tells str0m about `Carried`.
#[derive(Debug)]
pub(crate) struct Carrier;

impl ExtensionSerializer for Carrier {
    fn write_to(&self, buf: &mut [u8], ev: &ExtensionValues) -> usize {
        let Some(Carried(bytes)) = ev.user_values.get() else { return 0 };
        let Some(into) = buf.get_mut(..bytes.len()) else { return 0 };
        into.copy_from_slice(bytes);
        bytes.len()
    }

    fn parse_value(&self, buf: &[u8], ev: &mut ExtensionValues) -> bool {
        ev.user_values.set(Carried(buf.into()));
        true
    }

    fn is_video(&self) -> bool {
        true
    }

    fn is_audio(&self) -> bool {
        false
    }

    fn requires_two_byte_form(&self, ev: &ExtensionValues) -> bool {
        ev.user_values.get::<Carried>().is_none_or(|carried| carried.0.is_empty() || carried.0.len() > 16)
    }
}

/// What a key frame says of all frames up to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Structure {
    /// The id of the first template; the others count on from it, modulo 64.
    first: u8,
    /// The spatial layer of each template.
    templates: Vec<u8>,
    /// The highest spatial layer of each decode target.
    targets: Vec<u8>,
    bits: usize,
}

/// One packet's descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub number: u16,
    pub spatial: u8,
    /// The last packet of the frame.
    pub ends: bool,
    structure: Arc<Structure>,
    brings_structure: bool,
    /// The decode targets that are sent, if it says so, a bit each.
    mask: Option<u32>,
    bytes: Box<[u8]>,
}

impl Frame {
    /// None if the bytes make no sense, or only with a structure that did not come.
    pub(crate) fn read(bytes: &[u8], known: Option<&Arc<Structure>>) -> Option<Self> {
        let mut bits = Bits { bytes, at: 0 };
        bits.take(1)?;
        let ends = bits.take(1)? == 1;
        let template = bits.take(6)? as u8;
        let number = bits.take(16)? as u16;
        let mut came = None;
        let mut mask = None;
        if bytes.len() * 8 > MANDATORY_BITS {
            let has_structure = bits.take(1)? == 1;
            let has_mask = bits.take(1)? == 1;
            bits.take(3)?;
            if has_structure {
                came = Some(Arc::new(Structure::read(&mut bits)?));
            }
            if has_mask {
                let structure = came.as_ref().or(known)?;
                mask = Some(bits.take(structure.targets.len())?);
            }
        }
        let brings_structure = came.is_some();
        let structure = came.or_else(|| known.cloned())?;
        let place = usize::from(template.wrapping_sub(structure.first) & 0x3f);
        let spatial = *structure.templates.get(place)?;
        Some(Self { number, spatial, ends, structure, brings_structure, mask, bytes: bytes.into() })
    }

    /// Whether it is the first packet of a key frame.
    pub(crate) fn brings_structure(&self) -> bool {
        self.brings_structure
    }

    /// As it came.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What this and later descriptors of the stream are to be read with.
    pub(crate) fn structure(&self) -> &Arc<Structure> {
        &self.structure
    }

    /// How many bytes `write` appends; never 0.
    pub(crate) fn length(&self, ids: Ids) -> usize {
        if ids.limit().is_none() {
            return self.bytes.len();
        }
        let flags = if self.bytes.len() * 8 > MANDATORY_BITS { 0 } else { FLAGS };
        let mask = if self.mask.is_some() { 0 } else { self.structure.targets.len() };
        (self.bytes.len() * 8 + flags + mask).div_ceil(8)
    }

    /// Appends the descriptor with these numbers.
    pub(crate) fn write(&self, out: &mut Vec<u8>, ids: Ids) {
        let start = out.len();
        match ids.limit() {
            None => out.extend_from_slice(&self.bytes),
            Some(spatial) => self.write_limited(out, spatial),
        }
        out[start + 1..start + 3].copy_from_slice(&ids.picture.to_be_bytes());
    }

    /// The same, saying that only decode targets up to a spatial layer are sent. It is said in each packet, as any may be
    /// the first that arrives.
    fn write_limited(&self, out: &mut Vec<u8>, spatial: u8) {
        let targets = self.structure.targets.len();
        let sent = self.structure.targets.iter().rev().fold(0_u32, |mask, layer| mask << 1 | u32::from(*layer <= spatial));
        let mask = sent & self.mask.unwrap_or(u32::MAX);
        let mut bits = Bits { bytes: &self.bytes, at: 0 };
        let mut writer = Writer { out, free: 0 };
        let copy = |bits: &mut Bits<'_>, writer: &mut Writer<'_>, count: usize| {
            for _ in 0..count {
                writer.put(bits.take(1).unwrap_or(0), 1);
            }
        };
        copy(&mut bits, &mut writer, MANDATORY_BITS);
        // In the shortest form the flags are missing, and all off.
        writer.put(bits.take(FLAGS).unwrap_or(0) | HAS_MASK, FLAGS);
        copy(&mut bits, &mut writer, if self.brings_structure { self.structure.bits } else { 0 });
        writer.put(mask, targets);
        if self.mask.is_some() {
            bits.take(targets);
        }
        // What only some frames have, and padding.
        while let Some(bit) = bits.take(1) {
            writer.put(bit, 1);
        }
    }
}

impl Structure {
    fn read(bits: &mut Bits<'_>) -> Option<Self> {
        let start = bits.at;
        let first = bits.take(6)? as u8;
        let target_count = bits.take(5)? as usize + 1;
        let mut templates = Vec::new();
        let (mut spatial, mut temporal) = (0, 0);
        loop {
            templates.push(spatial);
            match bits.take(2)? {
                0 => {}
                1 => temporal += 1,
                2 => (spatial, temporal) = (spatial + 1, 0),
                _ => break,
            }
            if templates.len() >= TEMPLATES || spatial >= SPATIAL_LAYERS || temporal >= TEMPORAL_LAYERS {
                return None;
            }
        }
        let mut targets = vec![0; target_count];
        for layer in &templates {
            for target in &mut targets {
                // Frames of a template are sent for a target unless the indication is 0.
                if bits.take(2)? != 0 {
                    *target = (*target).max(*layer);
                }
            }
        }
        for _ in &templates {
            // The frames it needs, as differences of their numbers.
            while bits.take(1)? == 1 {
                bits.take(4)?;
            }
        }
        let chains = bits.take_below(target_count as u32 + 1)?;
        if chains > 0 {
            for _ in 0..target_count {
                bits.take_below(chains)?;
            }
            for _ in 0..templates.len() as u32 * chains {
                bits.take(4)?;
            }
        }
        if bits.take(1)? == 1 {
            for _ in 0..=spatial {
                bits.take(32)?;
            }
        }
        Some(Self { first, templates, targets, bits: bits.at - start })
    }
}

/// Reads bits, the highest of a byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// The next bits, at most 32, as a number. None if they are not all there.
    fn take(&mut self, count: usize) -> Option<u32> {
        if self.at + count > self.bytes.len() * 8 {
            return None;
        }
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | u32::from(self.bytes[self.at / 8] >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    /// A number below `most` in as few bits as that takes (`ns(n)` in the AV1 specification, section 4.10.7).
    fn take_below(&mut self, most: u32) -> Option<u32> {
        let width = (u32::BITS - most.leading_zeros()) as usize;
        let short = (1 << width) - most;
        let value = self.take(width - 1)?;
        if value < short {
            return Some(value);
        }
        Some((value << 1) - short + self.take(1)?)
    }
}

/// Appends bits, the highest of a byte first.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
    /// Bits of the last byte that are not written yet.
    free: usize,
}

impl Writer<'_> {
    fn put(&mut self, value: u32, count: usize) {
        for bit in (0..count).rev() {
            if self.free == 0 {
                self.out.push(0);
                self.free = 8;
            }
            self.free -= 1;
            if value >> bit & 1 == 1
                && let Some(last) = self.out.last_mut()
            {
                *last |= 1 << self.free;
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Bits written by hand, such as "1 0 000101".
    fn bits(text: &str) -> Vec<u8> {
        let mut out = vec![];
        let mut writer = Writer { out: &mut out, free: 0 };
        for bit in text.chars().filter(|c| !c.is_whitespace()) {
            writer.put(u32::from(bit == '1'), 1);
        }
        out
    }

    /// Three spatial layers of one temporal layer each, whose first template has the id 5: a template for the key picture
    /// and one for the others per layer, and a decode target per layer with a chain of its own.
    const STRUCTURE: &str = "000101 00010
        00 10 00 10 00 11
        10 10 10  10 00 00  00 10 10  00 10 00  00 00 10  00 00 10
        0  1 0010 0  1 0000 0  1 0010 0  1 0000 0  1 0010 0
        11 0 10 11
        0000 0000 0000  0011 0010 0001  0001 0001 0001  0001 0011 0010  0010 0001 0001  0010 0001 0011
        1 0000000100111111 0000000010110011 0000001001111111 0000000101100111 0000010011111111 0000001011001111";

    /// The descriptor of a packet: whether it begins and ends a frame of a layer, in the key picture or a later one. In key
    /// pictures the first brings the structure.
    pub(crate) fn descriptor(number: u16, layer: u8, key: bool, begins: bool, ends: bool) -> Vec<u8> {
        let template = 5 + 2 * layer + u8::from(!key);
        let head = format!("{}{}{template:06b}{number:016b}", u8::from(begins), u8::from(ends));
        match key && begins && layer == 0 {
            true => bits(&format!("{head} 1 0 0 0 0 {STRUCTURE}")),
            false => bits(&head),
        }
    }

    fn known() -> Arc<Structure> {
        let frame = Frame::read(&descriptor(0, 0, true, true, true), None).expect("a key frame");
        frame.structure().clone()
    }

    #[test]
    fn a_structure_tells_the_layers_of_templates_and_targets() {
        let structure = known();
        assert_eq!(
            (structure.first, &structure.templates[..], &structure.targets[..]),
            (5, &[0, 0, 1, 1, 2, 2][..], &[0, 1, 2][..])
        );
        let written = STRUCTURE.chars().filter(|c| !c.is_whitespace()).count();
        assert_eq!(structure.bits, written);
    }

    #[test]
    fn frames_are_understood_with_the_structure_before_them() {
        let structure = known();
        for layer in 0..3 {
            for (key, begins, ends) in [(true, true, false), (false, true, true), (false, false, true), (true, false, false)] {
                let bytes = descriptor(0xfffe, layer, key, begins, ends);
                let frame = Frame::read(&bytes, Some(&structure)).expect("a good descriptor");
                assert_eq!((frame.number, frame.spatial, frame.ends), (0xfffe, layer, ends));
                assert_eq!(frame.brings_structure(), key && begins && layer == 0);
                if !frame.brings_structure() {
                    assert_eq!(Frame::read(&bytes, None), None, "without a structure");
                }
            }
        }
        let odd = bits("11 000100 0000000000000001");
        assert_eq!(Frame::read(&odd, Some(&structure)), None, "a template that there is not");
    }

    #[test]
    fn what_ends_too_early_or_makes_no_sense_is_none() {
        let whole = descriptor(7, 0, true, true, false);
        for length in 0..whole.len() {
            assert_eq!(Frame::read(&whole[..length], None), None, "{length} bytes");
        }
        let head = "10 000000 0000000000000000 1 0 0 0 0";
        for (what, rest) in [
            ("templates without end", format!("000000 00000 {}", "00".repeat(900))),
            ("too many spatial layers", format!("000000 00000 {}11", "10".repeat(4))),
            ("too many temporal layers", format!("000000 00000 {}11", "01".repeat(8))),
            ("references without end", format!("000000 00000 11 00 {}", "1".repeat(1_900))),
        ] {
            assert_eq!(Frame::read(&bits(&format!("{head} {rest}")), None), None, "{what}");
        }
        // Nothing else may happen, whatever comes.
        let mut state = 1_u32;
        for length in 0..200 {
            let noise: Vec<u8> = (0..length)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 24) as u8
                })
                .collect();
            if let Some(frame) = Frame::read(&noise, Some(&known())) {
                let mut out = vec![];
                frame.write(&mut out, Ids { picture: 1, tl0: 1 });
            }
        }
    }

    #[test]
    fn who_gets_all_layers_gets_the_same_with_another_number() {
        let structure = known();
        for bytes in [descriptor(300, 0, true, true, true), descriptor(300, 2, false, false, true)] {
            let frame = Frame::read(&bytes, Some(&structure)).expect("a good descriptor");
            let mut out = vec![9];
            frame.write(&mut out, Ids { picture: 0x1234, tl0: 0 });
            assert_eq!(out.len(), 1 + frame.length(Ids::default()));
            assert_eq!(out[..4], [9, bytes[0], 0x12, 0x34]);
            assert_eq!(out[4..], bytes[3..]);
        }
    }

    #[test]
    fn who_gets_fewer_layers_is_told_so() {
        let structure = known();
        let head = "11 000110 0000000000000001";
        let targets = |mask: &str| format!("{head} 0 1 0 0 0 {mask}");
        // Custom references of a frame, and a mask before them.
        let custom = |mask: &str| format!("{head} 0 1 0 1 0 {mask} 01 0011 00");
        for (what, bytes, limit, expected, after) in [
            ("the shortest form", descriptor(1, 0, false, true, true), 0, 0b001, ""),
            ("a key frame", descriptor(1, 0, true, true, true), 1, 0b011, ""),
            ("a mask of its own", bits(&targets("111")), 1, 0b011, ""),
            ("a narrower mask of its own", bits(&targets("001")), 1, 0b001, ""),
            ("something behind the mask", bits(&custom("111")), 0, 0b001, "01 0011 00"),
            ("something without a mask", bits(&format!("{head} 0 0 0 1 0 01 0011 00")), 1, 0b011, "01 0011 00"),
        ] {
            let frame = Frame::read(&bytes, Some(&structure)).expect(what);
            let mut ids = Ids { picture: 77, tl0: 0 };
            ids.limit_to(limit);
            let mut out = vec![];
            frame.write(&mut out, ids);
            assert_eq!(out.len(), frame.length(ids), "{what}");
            let told = Frame::read(&out, Some(&structure)).expect(what);
            assert_eq!((told.number, told.spatial, told.ends), (77, frame.spatial, frame.ends), "{what}");
            assert_eq!(told.mask, Some(expected), "{what}");
            assert_eq!(told.brings_structure().then(|| told.structure().clone()), frame.brings_structure().then(known), "{what}");
            if !after.is_empty() {
                let all: String = out.iter().map(|b| format!("{b:08b}")).collect();
                let wanted: String = after.chars().filter(|c| !c.is_whitespace()).collect();
                assert!(all[MANDATORY_BITS + FLAGS + 3..].starts_with(&wanted), "{what}: {all}");
            }
        }
    }
}
