//! The system's libvpx, found at run time: decoding VP8 and VP9.
//! Invariant: a decoder's memory is used by one thread at a time, and its pictures are copied before its next call.
//! The layouts are those of `vpx_codec.h`, `vpx_decoder.h` and `vpx_image.h` with decoder ABI 12 (libvpx 1.8 to 1.15), which
//! the library itself checks.

use std::ffi::{CStr, c_char, c_int, c_long, c_uint, c_void};
use std::mem::transmute;
use std::ptr::{null, null_mut};
use std::sync::Arc;

use crate::picture::{Picture, Unshown};

/// What the layouts below are of; libvpx refuses others.
const DECODER_ABI: c_int = 12;

/// `VPX_IMG_FMT_I420`.
const I420: c_uint = 0x102;

/// The library under the names that it has had.
const NAMES: [&CStr; 7] =
    [c"libvpx.so.7", c"libvpx.so.9", c"libvpx.so.8", c"libvpx.so.10", c"libvpx.so.11", c"libvpx.so.12", c"libvpx.so.6"];

type Interface = unsafe extern "C" fn() -> *mut c_void;
type Init = unsafe extern "C" fn(*mut Context, *mut c_void, *const c_void, c_long, c_int) -> c_int;
type Decode = unsafe extern "C" fn(*mut Context, *const u8, c_uint, *mut c_void, c_long) -> c_int;
type GetFrame = unsafe extern "C" fn(*mut Context, *mut *const c_void) -> *const Image;
type Destroy = unsafe extern "C" fn(*mut Context) -> c_int;

/// `vpx_codec_ctx_t`: seven words, and room for more.
#[repr(C, align(16))]
struct Context([u64; 32]);

/// The beginning of `vpx_image_t`.
#[repr(C)]
struct Image {
    format: c_uint,
    color_space: c_uint,
    range: c_uint,
    width: c_uint,
    height: c_uint,
    bit_depth: c_uint,
    shown_width: c_uint,
    shown_height: c_uint,
    rendered_width: c_uint,
    rendered_height: c_uint,
    chroma_shift_x: c_uint,
    chroma_shift_y: c_uint,
    planes: [*const u8; 4],
    strides: [c_int; 4],
}

/// The library; it stays loaded as long as the process runs.
pub struct Vpx {
    vp8: Interface,
    vp9: Interface,
    init: Init,
    decode: Decode,
    get_frame: GetFrame,
    destroy: Destroy,
}

impl Vpx {
    /// Finds it, and sees whether it decodes as we know it.
    ///
    /// # Errors
    /// If it is not there, or of another kind: what to do.
    pub fn load() -> anyhow::Result<Arc<Self>> {
        let mut handle = null_mut();
        for name in NAMES {
            // SAFETY: the name is a C string; loading a system library runs its own initialisers only.
            handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
            if !handle.is_null() {
                break;
            }
        }
        if handle.is_null() {
            anyhow::bail!("pictures cannot be decoded: libvpx is not installed (on Debian it comes with ffmpeg)");
        }
        let symbol = |name: &CStr| {
            // SAFETY: the handle is of a library that is never closed.
            let found = unsafe { libc::dlsym(handle, name.as_ptr()) };
            anyhow::ensure!(!found.is_null(), "pictures cannot be decoded: libvpx has no {}", name.to_string_lossy());
            Ok(found)
        };
        // SAFETY: these are the signatures of `vpx_decoder.h` and `vp8dx.h`.
        let vpx = unsafe {
            Self {
                vp8: transmute::<*mut c_void, Interface>(symbol(c"vpx_codec_vp8_dx")?),
                vp9: transmute::<*mut c_void, Interface>(symbol(c"vpx_codec_vp9_dx")?),
                init: transmute::<*mut c_void, Init>(symbol(c"vpx_codec_dec_init_ver")?),
                decode: transmute::<*mut c_void, Decode>(symbol(c"vpx_codec_decode")?),
                get_frame: transmute::<*mut c_void, GetFrame>(symbol(c"vpx_codec_get_frame")?),
                destroy: transmute::<*mut c_void, Destroy>(symbol(c"vpx_codec_destroy")?),
            }
        };
        let vpx = Arc::new(vpx);
        Decoder::new(&vpx, Kind::Vp8)?;
        Ok(vpx)
    }
}

/// What it decodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Vp8,
    Vp9,
}

/// The decoder of one stream.
pub struct Decoder {
    vpx: Arc<Vpx>,
    context: Box<Context>,
}

// SAFETY: a decoder has no ties to the thread that made it.
unsafe impl Send for Decoder {}

impl Decoder {
    /// # Errors
    /// If the library is of another kind than is known here.
    pub fn new(vpx: &Arc<Vpx>, kind: Kind) -> anyhow::Result<Self> {
        let mut context = Box::new(Context([0; 32]));
        let interface = if kind == Kind::Vp8 { vpx.vp8 } else { vpx.vp9 };
        // SAFETY: the context has more room than the library writes; no configuration means its own.
        let result = unsafe { (vpx.init)(&raw mut *context, interface(), null(), 0, DECODER_ABI) };
        anyhow::ensure!(
            result == 0,
            "pictures cannot be decoded: this libvpx is of another kind than 1.8 to 1.15 (error {result})"
        );
        Ok(Self { vpx: vpx.clone(), context })
    }

    /// Decodes a frame; the last picture of it, if it shows one.
    ///
    /// # Errors
    /// If it is broken, or of another kind than is shown.
    pub fn decode(&mut self, frame: &[u8]) -> Result<Option<Picture>, Unshown> {
        let length = c_uint::try_from(frame.len()).map_err(|_| Unshown::Broken)?;
        // SAFETY: the context was initialised, and the frame lives during the call.
        let result = unsafe { (self.vpx.decode)(&raw mut *self.context, frame.as_ptr(), length, null_mut(), 0) };
        if result != 0 {
            return Err(Unshown::Broken);
        }
        let (mut iterator, mut last) = (null(), None);
        // SAFETY: as above; pictures belong to the decoder until its next decoding, and one is copied before that.
        while let Some(image) = unsafe { (self.vpx.get_frame)(&raw mut *self.context, &raw mut iterator).as_ref() } {
            last = Some(image);
        }
        last.map(copy).transpose()
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: it was initialised once, and is used no more.
        unsafe { (self.vpx.destroy)(&raw mut *self.context) };
    }
}

/// The part of a decoder's picture that is to be shown.
fn copy(image: &Image) -> Result<Picture, Unshown> {
    let (width, height) = (image.shown_width as usize, image.shown_height as usize);
    if image.format != I420 || image.chroma_shift_x != 1 || image.chroma_shift_y != 1 {
        return Err(Unshown::Kind);
    }
    let planes: [*const u8; 3] = std::array::from_fn(|plane| image.planes[plane]);
    let strides = std::array::from_fn(|plane| image.strides[plane] as isize);
    // SAFETY: planes are of rows that are a stride apart, as many and as long as the picture is high and wide.
    unsafe { Picture::copied((width, height), planes, strides) }.ok_or(Unshown::Broken)
}

const _: () = assert!(size_of::<c_char>() == 1 && std::mem::offset_of!(Image, planes) == 48);

#[cfg(test)]
mod tests {
    use super::*;

    /// A key frame of 16 x 16 pixels, all of the middle grey: `ffmpeg -f lavfi -i color=gray:s=16x16 -frames:v 1 -c:v libvpx`.
    #[test]
    fn broken_frames_are_no_pictures() {
        let Ok(vpx) = Vpx::load() else { return };
        for kind in [Kind::Vp8, Kind::Vp9] {
            let mut decoder = Decoder::new(&vpx, kind).unwrap();
            for frame in [&[][..], &[0x10], &[0x10, 0, 0, 0x9d, 0x01, 0x2a, 16, 0, 16, 0], &[0xff; 40]] {
                let decoded = decoder.decode(frame).ok().flatten();
                assert!(decoded.is_none_or(|picture| picture.width <= 16));
            }
        }
    }
}
