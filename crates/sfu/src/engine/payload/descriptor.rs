//! What one packet says about its picture.
//! Next: a file per codec reads it; `pictures.rs` and `../consumer.rs` decide by it.

use std::sync::Arc;

use super::dependency::Frame;
use super::ids::{Form, Ids};

/// What a packet says. Most codecs say only some of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Descriptor {
    /// The first packet of a key frame, from which a decoder can begin.
    pub starts_key_frame: bool,
    /// The last packet of a frame; a picture is a frame per spatial layer.
    pub ends_frame: bool,
    /// 0 is the smallest.
    pub spatial: u8,
    /// The picture's id, and where in the payload it stands.
    pub picture: Option<(u8, u16, Form)>,
    /// TL0PICIDX, and where in the payload it stands.
    pub tl0: Option<(u8, u8)>,
    /// What an AV1 packet says in its header extension.
    pub frame: Option<Arc<Frame>>,
}

impl Descriptor {
    /// Puts other numbers into a copy of the payload.
    pub(crate) fn write(&self, payload: &mut [u8], ids: Ids) {
        if let Some((at, _, form)) = self.picture {
            form.write(payload, usize::from(at), ids.picture);
        }
        if let Some((at, _)) = self.tl0 {
            payload[usize::from(at)] = ids.tl0;
        }
    }
}
