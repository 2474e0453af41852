//! The system's libavcodec, which ffmpeg brings along, found at run time: decoding H.264 and AV1.
//! Invariant: a decoder's memory is used by one thread, and its pictures are copied before its next call.
//! The layouts are the beginnings of `AVPacket` and `AVFrame`, the same from libavcodec 58 to 62 (FFmpeg 4 to 8), which are the
//! only ones that are taken. Options are set by name, so that no other structure is known here.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::mem::transmute;
use std::ptr::{null, null_mut};

use crate::frames::MOST_PIXELS;
use crate::picture::{Picture, Unshown};

/// The library under the names that it has, and with which versions those come.
const NAMES: [(&CStr, c_uint); 5] = [
    (c"libavcodec.so.59", 59),
    (c"libavcodec.so.61", 61),
    (c"libavcodec.so.60", 60),
    (c"libavcodec.so.62", 62),
    (c"libavcodec.so.58", 58),
];

/// Decoders of AV1, the quickest first: ffmpeg's own only speaks to graphics cards.
const OF_AV1: [&CStr; 2] = [c"libdav1d", c"libaom-av1"];
const OF_H264: [&CStr; 1] = [c"h264"];

/// `AV_INPUT_BUFFER_PADDING_SIZE`: zeros behind what is decoded.
const PADDING: usize = 64;
/// `AV_PIX_FMT_YUV420P`, and the same with full range.
const I420: [c_int; 2] = [0, 12];
/// `AV_LOG_QUIET`.
const QUIET: c_int = -8;

/// The beginning of `AVPacket`.
#[repr(C)]
struct Packet {
    buffer: *mut c_void,
    shown_at: i64,
    decoded_at: i64,
    data: *const u8,
    size: c_int,
}

/// The beginning of `AVFrame`.
#[repr(C)]
struct Image {
    planes: [*const u8; 8],
    strides: [c_int; 8],
    all_planes: *const c_void,
    width: c_int,
    height: c_int,
    samples: c_int,
    format: c_int,
}

type Codec = c_void;
type Context = c_void;
type Options = c_void;

/// What is used of the library; it stays loaded as long as the process runs.
struct Functions {
    version: unsafe extern "C" fn() -> c_uint,
    be_quiet: unsafe extern "C" fn(c_int),
    find: unsafe extern "C" fn(*const c_char) -> *const Codec,
    context: unsafe extern "C" fn(*const Codec) -> *mut Context,
    open: unsafe extern "C" fn(*mut Context, *const Codec, *mut *mut Options) -> c_int,
    set: unsafe extern "C" fn(*mut *mut Options, *const c_char, *const c_char, c_int) -> c_int,
    forget: unsafe extern "C" fn(*mut *mut Options),
    packet: unsafe extern "C" fn() -> *mut Packet,
    image: unsafe extern "C" fn() -> *mut Image,
    send: unsafe extern "C" fn(*mut Context, *const Packet) -> c_int,
    receive: unsafe extern "C" fn(*mut Context, *mut Image) -> c_int,
}

/// A decoder of one stream, for as long as the process lives.
pub struct Decoder {
    functions: Functions,
    context: *mut Context,
    packet: *mut Packet,
    image: *mut Image,
    /// A frame, and zeros behind it.
    bytes: Vec<u8>,
}

impl Decoder {
    /// # Errors
    /// If the library is not there, or of another kind.
    pub fn h264() -> anyhow::Result<Self> {
        Self::open(&OF_H264, &[])
    }

    /// # Errors
    /// As for H.264, and if it decodes no AV1.
    pub fn av1() -> anyhow::Result<Self> {
        // The best layer that came is shown, also where there are better ones that did not.
        Self::open(&OF_AV1, &[(c"alllayers", c"1")])
    }

    fn open(names: &[&CStr], own: &[(&CStr, &CStr)]) -> anyhow::Result<Self> {
        let functions = load()?;
        let most = format!("{MOST_PIXELS}\0");
        let most = CStr::from_bytes_with_nul(most.as_bytes())?;
        // One thread, and no picture is held back for the next.
        let general: [(&CStr, &CStr); 3] = [(c"threads", c"1"), (c"flags", c"low_delay"), (c"max_pixels", most)];
        // SAFETY: these are the signatures of `avcodec.h`; nulls are looked for, and the library copies strings.
        unsafe {
            (functions.be_quiet)(QUIET);
            let found = names.iter().map(|name| (functions.find)(name.as_ptr())).find(|codec| !codec.is_null());
            let codec = found.ok_or_else(|| anyhow::anyhow!("this libavcodec has no {}", names[0].to_string_lossy()))?;
            let (context, packet, image) = ((functions.context)(codec), (functions.packet)(), (functions.image)());
            anyhow::ensure!(!context.is_null() && !packet.is_null() && !image.is_null(), "there is no memory");
            let mut options: *mut Options = null_mut();
            for (name, value) in general.iter().chain(own) {
                (functions.set)(&raw mut options, name.as_ptr(), value.as_ptr(), 0);
            }
            let result = (functions.open)(context, codec, &raw mut options);
            (functions.forget)(&raw mut options);
            anyhow::ensure!(result >= 0, "libavcodec opens no {} (error {result})", names[0].to_string_lossy());
            Ok(Self { functions, context, packet, image, bytes: Vec::new() })
        }
    }

    /// Decodes a frame; the last picture of it, if it shows one.
    ///
    /// # Errors
    /// If it is broken, or of another kind than is shown.
    pub fn decode(&mut self, frame: &[u8]) -> Result<Option<Picture>, Unshown> {
        self.bytes.clear();
        self.bytes.extend_from_slice(frame);
        self.bytes.resize(frame.len() + PADDING, 0);
        let Self { functions, context, packet, image, bytes } = self;
        // SAFETY: all were made by the library; a packet without a buffer is copied by it before it returns.
        unsafe {
            (**packet).data = bytes.as_ptr();
            (**packet).size = c_int::try_from(frame.len()).map_err(|_| Unshown::Broken)?;
            let sent = (functions.send)(*context, *packet);
            ((**packet).data, (**packet).size) = (null(), 0);
            if sent < 0 {
                return Err(Unshown::Broken);
            }
            let mut last = Ok(None);
            while (functions.receive)(*context, *image) >= 0 {
                last = copy(&**image).map(Some);
            }
            last
        }
    }
}

/// The part of a decoder's picture that is to be shown.
fn copy(image: &Image) -> Result<Picture, Unshown> {
    let (Ok(width), Ok(height)) = (usize::try_from(image.width), usize::try_from(image.height)) else {
        return Err(Unshown::Broken);
    };
    if !I420.contains(&image.format) {
        return Err(Unshown::Kind);
    }
    if width * height > MOST_PIXELS {
        return Err(Unshown::Broken);
    }
    let planes: [*const u8; 3] = std::array::from_fn(|plane| image.planes[plane]);
    let strides = std::array::from_fn(|plane| image.strides[plane] as isize);
    // SAFETY: planes are of rows that are a stride apart, as many and as long as the picture is high and wide.
    unsafe { Picture::copied((width, height), planes, strides) }.ok_or(Unshown::Broken)
}

fn load() -> anyhow::Result<Functions> {
    // SAFETY: the names are C strings; loading a system library runs its own initialisers only.
    let open = |name: &CStr| unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    let found = NAMES.iter().map(|(name, version)| (open(name), *version)).find(|(handle, _)| !handle.is_null());
    let (handle, version) =
        found.ok_or_else(|| anyhow::anyhow!("no libavcodec 58 to 62 is installed (on Debian it comes with ffmpeg)"))?;
    let symbol = |name: &CStr| {
        // SAFETY: the handle is of a library that is never closed. Those that it needs are searched too.
        let found = unsafe { libc::dlsym(handle, name.as_ptr()) };
        anyhow::ensure!(!found.is_null(), "libavcodec has no {}", name.to_string_lossy());
        Ok(found)
    };
    // SAFETY: these are the signatures of `avcodec.h`, `packet.h`, `frame.h`, `dict.h` and `log.h`.
    let functions = unsafe {
        Functions {
            version: transmute::<*mut c_void, unsafe extern "C" fn() -> c_uint>(symbol(c"avcodec_version")?),
            be_quiet: transmute::<*mut c_void, unsafe extern "C" fn(c_int)>(symbol(c"av_log_set_level")?),
            find: transmute::<*mut c_void, unsafe extern "C" fn(*const c_char) -> *const Codec>(symbol(
                c"avcodec_find_decoder_by_name",
            )?),
            context: transmute::<*mut c_void, unsafe extern "C" fn(*const Codec) -> *mut Context>(symbol(
                c"avcodec_alloc_context3",
            )?),
            open: transmute::<*mut c_void, unsafe extern "C" fn(*mut Context, *const Codec, *mut *mut Options) -> c_int>(symbol(
                c"avcodec_open2",
            )?),
            set: transmute::<*mut c_void, unsafe extern "C" fn(*mut *mut Options, *const c_char, *const c_char, c_int) -> c_int>(
                symbol(c"av_dict_set")?,
            ),
            forget: transmute::<*mut c_void, unsafe extern "C" fn(*mut *mut Options)>(symbol(c"av_dict_free")?),
            packet: transmute::<*mut c_void, unsafe extern "C" fn() -> *mut Packet>(symbol(c"av_packet_alloc")?),
            image: transmute::<*mut c_void, unsafe extern "C" fn() -> *mut Image>(symbol(c"av_frame_alloc")?),
            send: transmute::<*mut c_void, unsafe extern "C" fn(*mut Context, *const Packet) -> c_int>(symbol(
                c"avcodec_send_packet",
            )?),
            receive: transmute::<*mut c_void, unsafe extern "C" fn(*mut Context, *mut Image) -> c_int>(symbol(
                c"avcodec_receive_frame",
            )?),
        }
    };
    // SAFETY: it takes nothing and returns a number.
    let says = unsafe { (functions.version)() } >> 16;
    anyhow::ensure!(says == version, "the libavcodec that is called {version} says that it is {says}");
    Ok(functions)
}

const _: () = assert!(std::mem::offset_of!(Packet, data) == 24 && std::mem::offset_of!(Image, width) == 104);
