//! AV1's dependency descriptor (AOM, RTP Payload Format For AV1, appendix A), a header extension: the number of a frame, its
//! spatial layer by the templates of the last key frame, and which layers are sent.
//! Read once per packet; written per consumer with its own frame number and, if it gets fewer layers, with those only.
//! Invariant: what a consumer gets differs from what came in that number and that mask alone.
//! Next: `av1.rs` makes a `Descriptor` of it, `../egress.rs` writes it.

use std::sync::Arc;

use str0m::rtp::{ExtensionSerializer, ExtensionValues};

use super::pictures::{ALL_LAYERS, Ids};

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

    /// What this and later descriptors of the stream are to be read with.
    pub(crate) fn structure(&self) -> &Arc<Structure> {
        &self.structure
    }

    /// How many bytes `write` appends; never 0.
    pub(crate) fn length(&self, ids: Ids) -> usize {
        if ids.tl0 == ALL_LAYERS {
            return self.bytes.len();
        }
        let flags = if self.bytes.len() * 8 > MANDATORY_BITS { 0 } else { FLAGS };
        let mask = if self.mask.is_some() { 0 } else { self.structure.targets.len() };
        (self.bytes.len() * 8 + flags + mask).div_ceil(8)
    }

    /// Appends the descriptor with these numbers.
    pub(crate) fn write(&self, out: &mut Vec<u8>, ids: Ids) {
        let start = out.len();
        if ids.tl0 == ALL_LAYERS {
            out.extend_from_slice(&self.bytes);
        } else {
            self.write_limited(out, ids.tl0);
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
