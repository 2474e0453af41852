//! What a packet of any codec says of its frame.

use std::borrow::Cow;

/// The largest picture that is decoded, in pixels: 4096 x 2304.
pub const MOST_PIXELS: usize = 4_096 * 2_304;

/// What a packet says of its frame.
#[derive(Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// Whether it is the first of a frame; None if only its time says so.
    pub begins: Option<bool>,
    /// A frame that begins with it needs no other.
    pub key: bool,
    /// The frame is too large to be decoded.
    pub unfit: bool,
    pub bytes: Cow<'a, [u8]>,
    /// Where in it the units begin of which a frame of AV1 is.
    pub units: Vec<usize>,
}
