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

use str0m::rtp::RtpPacket;

use self::dependency::{Carried, Frame, Structure};
use self::descriptor::Descriptor;
use crate::sdp::Format;

/// What a packet says. `structure` is the last one that came on the packet's stream; a newer one comes back in `frame`. None
/// for sound, and for what cannot be read.
pub(crate) fn read(format: Format, rtp: &RtpPacket, structure: Option<&Arc<Structure>>) -> Option<Descriptor> {
    match format {
        Format::Opus => None,
        Format::Vp8 => vp8::read(&rtp.payload),
        Format::Vp9 => vp9::read(&rtp.payload),
        Format::H264(_) => h264::read(&rtp.payload),
        Format::Av1 => {
            let carried = rtp.header.ext_vals.user_values.get::<Carried>();
            av1::read(&rtp.payload, carried.and_then(|carried| Frame::read(&carried.0, structure)))
        }
    }
}
