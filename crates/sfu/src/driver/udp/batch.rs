//! One system call for datagrams to many addresses: `sendmmsg`, each message with a UDP_SEGMENT of its own.
//! quinn-udp sends to one address per call, rustix has no UDP_SEGMENT, and nix tells how much was sent by reading memory that
//! it never wrote; so this is ours, and all the unsafe code of the crate.
//! Invariant: what the kernel is pointed at lives until the call returns, and is as long as it is told.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsRawFd, BorrowedFd};

use socket2::SockAddr;

use crate::engine::egress::outbox::Datagrams;
use crate::limits::OUTBOX_RUNS;

/// Where a run goes, as the kernel says it.
pub(super) struct Run<'a> {
    pub to: SockAddr,
    pub datagrams: Datagrams<'a>,
}

impl<'a> Run<'a> {
    /// Whether the kernel is to cut it.
    pub(super) fn is_cut(&self) -> bool {
        self.datagrams.bytes.len() > self.datagrams.each
    }

    /// Its datagrams, each as a run.
    pub(super) fn pieces(&self) -> impl Iterator<Item = Run<'a>> + use<'a> {
        let (to, datagrams) = (self.to.clone(), self.datagrams);
        datagrams.iter().map(move |bytes| Run { to: to.clone(), datagrams: Datagrams { bytes, ..datagrams } })
    }
}

/// A message's control data: how long the pieces are that it is to be cut into (udp(7)). 64 bits of alignment, as
/// `CMSG_SPACE` has it.
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

/// Sends runs, up to `OUTBOX_RUNS` of them, without waiting; returns how many the kernel took. An error is about the first.
pub(super) fn send(socket: BorrowedFd<'_>, runs: &[Run<'_>]) -> io::Result<usize> {
    let runs = &runs[..runs.len().min(OUTBOX_RUNS)];
    let mut cuts = [Cut::into(0); OUTBOX_RUNS];
    // SAFETY: these are plain C structs of numbers and pointers, of which all zeros are a value.
    let (mut parts, mut heads): ([libc::iovec; OUTBOX_RUNS], [libc::mmsghdr; OUTBOX_RUNS]) =
        unsafe { (MaybeUninit::zeroed().assume_init(), MaybeUninit::zeroed().assume_init()) };
    for (((run, head), part), cut) in runs.iter().zip(&mut heads).zip(&mut parts).zip(&mut cuts) {
        let Datagrams { bytes, each, .. } = run.datagrams;
        *part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        let head = &mut head.msg_hdr;
        head.msg_name = run.to.as_ptr().cast_mut().cast();
        head.msg_namelen = run.to.len();
        head.msg_iov = part;
        head.msg_iovlen = 1;
        if run.is_cut() {
            *cut = Cut::into(each);
            head.msg_control = std::ptr::from_mut(cut).cast();
            head.msg_controllen = size_of::<Cut>() as _;
        }
    }
    // SAFETY: each of the first `runs.len()` heads points at an address, a part and perhaps a control message, which in turn
    // point at the run's bytes; all of them live in this call, with their true lengths, and sending writes to none.
    let taken = unsafe { libc::sendmmsg(socket.as_raw_fd(), heads.as_mut_ptr(), runs.len() as _, libc::MSG_DONTWAIT as _) };
    usize::try_from(taken).map_err(|_| io::Error::last_os_error())
}
