//! What a packet says about its picture, read once per packet and the same for every codec: whether a key frame begins,
//! which spatial layer it is of, and which numbers stand where, so that each consumer can have its own.
//! Invariant: reading never trusts a length; what ends too early or makes no sense is forwarded as it is.
//! Next: a file per codec reads; `pictures.rs` keeps the numbers continuous; `consumer.rs` decides.

pub(crate) mod av1;
pub(crate) mod dependency;
pub(crate) mod descriptor;
pub(crate) mod h264;
pub(crate) mod ids;
pub(crate) mod pictures;
pub(crate) mod vp8;
pub(crate) mod vp9;

use std::sync::Arc;

use str0m::media::Rid;
use str0m::rtp::RtpPacket;

use self::dependency::{Carried, Frame, Structure};
use self::descriptor::Descriptor;
use crate::limits::LAYERS_PER_PRODUCER;
use crate::sdp::Format;

/// What a packet says. `structure` is the last one that came on the packet's stream; a newer one comes back in `frame`. None
/// for sound, and for what cannot be read.
pub(crate) fn read(format: Format, rtp: &RtpPacket, structure: Option<&Arc<Structure>>) -> Option<Descriptor> {
    let carried = rtp.header.ext_vals.user_values.get::<Carried>();
    read_parts(format, &rtp.payload, carried.map(|carried| &*carried.0), structure)
}

/// The same of a packet that is in parts already: its payload, and AV1's descriptor.
pub(crate) fn read_parts(
    format: Format,
    payload: &[u8],
    carried: Option<&[u8]>,
    structure: Option<&Arc<Structure>>,
) -> Option<Descriptor> {
    match format {
        Format::Opus => None,
        Format::Vp8 => vp8::read(payload),
        Format::Vp9 => vp9::read(payload),
        Format::H264(_) => h264::read(payload),
        Format::Av1 => av1::read(payload, carried.and_then(|carried| Frame::read(carried, structure))),
    }
}

/// The last structure of each stream of a producer, by its rid, for codecs that have it.
#[derive(Debug, Default)]
pub(crate) struct Structures(Vec<(Option<Rid>, Arc<Structure>)>);

impl Structures {
    /// What a packet says; `read` reads it with the structure that it is given.
    pub(crate) fn read(
        &mut self,
        rid: Option<Rid>,
        read: impl FnOnce(Option<&Arc<Structure>>) -> Option<Descriptor>,
    ) -> Option<Descriptor> {
        let known = self.0.iter().position(|(of, _)| *of == rid);
        let descriptor = read(known.map(|known| &self.0[known].1))?;
        if let Some(frame) = descriptor.frame.as_ref().filter(|frame| frame.brings_structure()) {
            match known {
                Some(known) => self.0[known].1 = frame.structure().clone(),
                None if self.0.len() < LAYERS_PER_PRODUCER => self.0.push((rid, frame.structure().clone())),
                None => {}
            }
        }
        Some(descriptor)
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
