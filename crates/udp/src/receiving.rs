//! Reading: what the kernel has, up to a batch, with who sent it, when it came, and where pieces that it joined begin.

use std::io;
use std::mem::zeroed;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};

use rustix::time::{ClockId, clock_gettime};
use socket2::{SockAddr, SockAddrStorage};

use crate::set;

/// Room for a moment and a length, in words.
const CONTROL: usize = 8;

/// Whether to wait for a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    No,
    /// For the first, as long as the socket's timeout says; a socket that does not block never waits.
    ForOne,
}

/// Buffers for one call.
pub struct Batch {
    bytes: Box<[u8]>,
    /// The length of one buffer.
    each: usize,
    control: Box<[[u64; CONTROL]]>,
    senders: Box<[SockAddrStorage]>,
    heads: Box<[libc::mmsghdr]>,
    /// They point at `bytes`, which is on the heap and stays where it is.
    parts: Box<[libc::iovec]>,
    filled: usize,
}

// SAFETY: all that its pointers point at is its own, and stays where it is.
unsafe impl Send for Batch {}

/// Datagrams of one sender that came together: one, unless the kernel was asked to join them.
#[derive(Debug)]
pub struct Arrivals<'a> {
    pub from: Option<SocketAddr>,
    /// Nanoseconds of the wall clock (`wall_clock`), if the socket was asked to note them.
    pub at: Option<u64>,
    pub bytes: &'a mut [u8],
    /// The length of each but the last.
    pub each: usize,
}

impl<'a> Arrivals<'a> {
    /// One by one. An empty datagram says nothing to anybody, and is left out.
    pub fn datagrams(self) -> impl Iterator<Item = &'a mut [u8]> {
        self.bytes.chunks_mut(self.each.max(1))
    }
}

impl Batch {
    /// For so many datagrams of at most so many bytes; what is longer is cut off.
    pub fn new(count: usize, bytes: usize) -> Self {
        // SAFETY: all-zero is a valid value of these plain C structs.
        let (head, part): (libc::mmsghdr, libc::iovec) = unsafe { (zeroed(), zeroed()) };
        Self {
            bytes: vec![0; count * bytes].into(),
            each: bytes,
            control: vec![[0; CONTROL]; count].into(),
            senders: (0..count).map(|_| SockAddrStorage::zeroed()).collect(),
            heads: vec![head; count].into(),
            parts: vec![part; count].into(),
            filled: 0,
        }
    }

    /// Reads what there is; how many buffers were filled.
    ///
    /// # Errors
    /// `WouldBlock` if there is nothing; an earlier send that met a closed port may show here as well, and says nothing about
    /// what is waiting.
    pub fn receive(&mut self, socket: &impl AsFd, wait: Wait) -> io::Result<usize> {
        self.filled = 0;
        for (at, head) in self.heads.iter_mut().enumerate() {
            let buffer = &mut self.bytes[at * self.each..][..self.each];
            self.parts[at] = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
            let head = &mut head.msg_hdr;
            head.msg_name = (&raw mut self.senders[at]).cast();
            head.msg_namelen = self.senders[at].size_of();
            head.msg_iov = &raw mut self.parts[at];
            head.msg_iovlen = 1;
            head.msg_control = self.control[at].as_mut_ptr().cast();
            head.msg_controllen = size_of_val(&self.control[at]) as _;
        }
        let flags = match wait {
            Wait::No => libc::MSG_DONTWAIT,
            Wait::ForOne => libc::MSG_WAITFORONE,
        };
        let (socket, most) = (socket.as_fd().as_raw_fd(), self.heads.len() as libc::c_uint);
        // SAFETY: every head points at a sender, a part and a control area of this struct, with their true lengths.
        let count = unsafe { libc::recvmmsg(socket, self.heads.as_mut_ptr(), most, flags as _, std::ptr::null_mut()) };
        self.filled = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        Ok(self.filled)
    }

    /// Whether the last call may have left datagrams behind.
    pub fn is_full(&self) -> bool {
        self.filled == self.heads.len()
    }

    /// What a buffer holds that the last call filled.
    ///
    /// # Panics
    /// If it did not fill that one.
    pub fn arrivals(&mut self, at: usize) -> Arrivals<'_> {
        assert!(at < self.filled, "only what was read");
        let head = &self.heads[at];
        let bytes = &mut self.bytes[at * self.each..][..(head.msg_len as usize).min(self.each)];
        let (came, each) = told(&head.msg_hdr);
        let sender = std::mem::replace(&mut self.senders[at], SockAddrStorage::zeroed());
        // SAFETY: the kernel wrote an address there, as long as it says.
        let from = unsafe { SockAddr::new(sender, head.msg_hdr.msg_namelen) };
        Arrivals { from: from.as_socket(), at: came, each: each.unwrap_or(bytes.len()), bytes }
    }
}

/// What the kernel tells beside: when it came, and the length of the pieces.
fn told(head: &libc::msghdr) -> (Option<u64>, Option<usize>) {
    let (mut at, mut each) = (None, None);
    // SAFETY: the kernel filled the control area of this head and its length; the macros stay within them.
    unsafe {
        let mut control = libc::CMSG_FIRSTHDR(head);
        while let Some(entry) = control.as_ref() {
            match (entry.cmsg_level, entry.cmsg_type) {
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                    let time = libc::CMSG_DATA(control).cast::<libc::timespec>().read_unaligned();
                    at = Some(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64);
                }
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    let length = libc::CMSG_DATA(control).cast::<libc::c_int>().read_unaligned();
                    each = usize::try_from(length).ok().filter(|length| *length > 0);
                }
                _ => {}
            }
            control = libc::CMSG_NXTHDR(head, control);
        }
    }
    (at, each)
}

/// Asks the kernel to note when datagrams come: what a reader is late by is then no part of it.
///
/// # Errors
/// If the system has no such option.
pub fn note_arrivals(socket: &impl AsFd) -> io::Result<()> {
    set(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)
}

/// Asks the kernel to join datagrams of one sender, if they are of one length and came together.
///
/// # Errors
/// If the system has no such option.
pub fn join(socket: &impl AsFd) -> io::Result<()> {
    set(socket, libc::SOL_UDP, libc::UDP_GRO, 1)
}

/// Nanoseconds of the clock that arrivals are noted by.
pub fn wall_clock() -> u64 {
    let time = clock_gettime(ClockId::Realtime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
