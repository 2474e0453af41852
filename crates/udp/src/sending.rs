//! Sending: runs of datagrams to many addresses, each cut by the kernel (UDP_SEGMENT, udp(7)).

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd};

use socket2::SockAddr;

use crate::set;

/// The most that one call takes.
pub const RUNS: usize = 64;

/// Datagrams to one address.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    pub to: SockAddr,
    pub bytes: &'a [u8],
    /// The length of each but the last.
    pub each: usize,
}

impl<'a> Run<'a> {
    /// Whether the kernel is to cut it.
    pub fn is_cut(&self) -> bool {
        self.bytes.len() > self.each
    }

    /// How many datagrams it is.
    pub fn count(&self) -> usize {
        self.bytes.len().div_ceil(self.each.max(1))
    }

    /// Its datagrams, each as a run.
    pub fn pieces(self) -> impl Iterator<Item = Run<'a>> {
        self.bytes.chunks(self.each.max(1)).map(move |bytes| Run { to: self.to.clone(), bytes, each: self.each })
    }
}

/// A message's control data: how long the pieces are that it is to be cut into. 64 bits of alignment, as `CMSG_SPACE` has it.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Cut {
    head: libc::cmsghdr,
    length: u16,
}

impl Cut {
    fn into(length: usize) -> Self {
        let told = size_of::<libc::cmsghdr>() + size_of::<u16>();
        let head = libc::cmsghdr { cmsg_len: told as _, cmsg_level: libc::SOL_UDP, cmsg_type: libc::UDP_SEGMENT };
        Self { head, length: length as u16 }
    }
}

/// Sends up to `RUNS` runs without waiting; how many the kernel took.
///
/// # Errors
/// About the first run, if that was not taken. `EIO` and `EINVAL` for a run that is to be cut where the network card cannot do
/// what the kernel leaves to it.
pub fn send(socket: &impl AsFd, runs: &[Run<'_>]) -> io::Result<usize> {
    let runs = &runs[..runs.len().min(RUNS)];
    let mut cuts = [Cut::into(0); RUNS];
    // SAFETY: these are plain C structs of numbers and pointers, of which all zeros are a value.
    let (mut parts, mut heads): ([libc::iovec; RUNS], [libc::mmsghdr; RUNS]) = unsafe { (zeroed(), zeroed()) };
    for (((run, head), part), cut) in runs.iter().zip(&mut heads).zip(&mut parts).zip(&mut cuts) {
        *part = libc::iovec { iov_base: run.bytes.as_ptr().cast_mut().cast(), iov_len: run.bytes.len() };
        let head = &mut head.msg_hdr;
        head.msg_name = run.to.as_ptr().cast_mut().cast();
        head.msg_namelen = run.to.len();
        head.msg_iov = part;
        head.msg_iovlen = 1;
        if run.is_cut() {
            *cut = Cut::into(run.each);
            head.msg_control = std::ptr::from_mut(cut).cast();
            head.msg_controllen = size_of::<Cut>() as _;
        }
    }
    let socket = socket.as_fd().as_raw_fd();
    // SAFETY: each of the first `runs.len()` heads points at an address, a part and perhaps a control message, which in turn
    // point at the run's bytes; all of them live in this call, with their true lengths, and sending writes to none.
    let taken = unsafe { libc::sendmmsg(socket, heads.as_mut_ptr(), runs.len() as _, libc::MSG_DONTWAIT as _) };
    usize::try_from(taken).map_err(|_| io::Error::last_os_error())
}

/// Whether the kernel cuts runs (Linux 4.18).
pub fn can_cut(socket: &impl AsFd) -> bool {
    // Nothing is cut that does not say so itself.
    set(socket, libc::SOL_UDP, libc::UDP_SEGMENT, 0).is_ok()
}
