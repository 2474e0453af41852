//! What the kernel is asked for: datagrams by the batch with their arrival times, and clocks. All unsafe code of the crate.
//! Invariant: pointers handed to the kernel point into buffers that live until the call returns.

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

/// Datagrams read in one call.
const BATCH: usize = 32;
/// Larger than any datagram of WebRTC.
const DATAGRAM: usize = 2_048;
/// Room for a timestamp.
const CONTROL: usize = 64;

/// Buffers for one call.
pub struct Batch {
    bytes: Box<[[u8; DATAGRAM]; BATCH]>,
    control: Box<[[u64; CONTROL / 8]; BATCH]>,
    heads: Box<[libc::mmsghdr; BATCH]>,
    /// They point at `bytes`, which is on the heap and stays where it is.
    parts: Box<[libc::iovec; BATCH]>,
    filled: usize,
}

impl Default for Batch {
    fn default() -> Self {
        // SAFETY: all-zero is a valid value of these plain C structs.
        let (heads, parts) = unsafe { (Box::new(zeroed()), Box::new(zeroed())) };
        let bytes = vec![[0; DATAGRAM]; BATCH].into_boxed_slice().try_into().expect("as long as it was made");
        Self { bytes, control: Box::new([[0; CONTROL / 8]; BATCH]), heads, parts, filled: 0 }
    }
}

impl Batch {
    /// Reads what there is, without waiting. The number of datagrams.
    pub fn receive(&mut self, socket: RawFd) -> usize {
        self.read(socket, libc::MSG_DONTWAIT)
    }

    /// Reads, waiting for the first datagram as long as the socket's timeout says.
    pub fn wait(&mut self, socket: RawFd) -> usize {
        self.read(socket, libc::MSG_WAITFORONE)
    }

    fn read(&mut self, socket: RawFd, flags: libc::c_int) -> usize {
        for at in 0..BATCH {
            self.parts[at] = libc::iovec { iov_base: self.bytes[at].as_mut_ptr().cast(), iov_len: DATAGRAM };
            let head = &mut self.heads[at].msg_hdr;
            head.msg_iov = &raw mut self.parts[at];
            head.msg_iovlen = 1;
            head.msg_control = self.control[at].as_mut_ptr().cast();
            head.msg_controllen = CONTROL as _;
        }
        // SAFETY: every head points at a buffer, a part and a control area of this struct, with their true lengths.
        let count = unsafe { libc::recvmmsg(socket, self.heads.as_mut_ptr(), BATCH as u32, flags as _, std::ptr::null_mut()) };
        self.filled = usize::try_from(count).unwrap_or(0);
        self.filled
    }

    /// Whether a call may have left datagrams behind.
    pub fn is_full(&self) -> bool {
        self.filled == BATCH
    }

    /// A datagram that was read, and when it arrived, in wall-clock nanoseconds if the socket was asked to tell.
    pub fn datagram(&mut self, at: usize) -> (&mut [u8], Option<u64>) {
        assert!(at < self.filled, "only what was read");
        let arrived = arrival(&self.heads[at].msg_hdr);
        let length = (self.heads[at].msg_len as usize).min(DATAGRAM);
        (&mut self.bytes[at][..length], arrived)
    }
}

/// The kernel's timestamp beside a datagram.
fn arrival(head: &libc::msghdr) -> Option<u64> {
    // SAFETY: the kernel filled the control area of this head and its length; the macros stay within them.
    unsafe {
        let mut control = libc::CMSG_FIRSTHDR(head);
        while let Some(entry) = control.as_ref() {
            if entry.cmsg_level == libc::SOL_SOCKET && entry.cmsg_type == libc::SCM_TIMESTAMPNS {
                let time = libc::CMSG_DATA(control).cast::<libc::timespec>().read_unaligned();
                return Some(nanoseconds(time));
            }
            control = libc::CMSG_NXTHDR(head, control);
        }
    }
    None
}

fn nanoseconds(time: libc::timespec) -> u64 {
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Asks the kernel to note when datagrams arrive: the load generator's own delay is then no part of a latency.
pub fn note_arrivals(socket: &impl AsRawFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the value is an int that lives during the call, and its true length is given.
    let done = unsafe {
        let value = (&raw const on).cast();
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, value, size_of::<libc::c_int>() as u32)
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Wall-clock nanoseconds, of the clock that arrivals are noted by.
pub fn wall_clock() -> u64 {
    clock(libc::CLOCK_REALTIME)
}

/// CPU time this thread has used.
pub fn thread_cpu() -> Duration {
    Duration::from_nanos(clock(libc::CLOCK_THREAD_CPUTIME_ID))
}

fn clock(which: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the struct lives during the call.
    unsafe { libc::clock_gettime(which, &raw mut time) };
    nanoseconds(time)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn datagrams_arrive_with_their_time() {
        let from = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = UdpSocket::bind("127.0.0.1:0").unwrap();
        to.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        note_arrivals(&to).unwrap();
        let before = wall_clock();
        for length in [100, 50] {
            from.send_to(&vec![7; length], to.local_addr().unwrap()).unwrap();
        }
        let mut batch = Batch::default();
        let mut lengths = Vec::new();
        while lengths.len() < 2 {
            let count = batch.wait(to.as_raw_fd());
            assert!(count > 0, "only {lengths:?} came");
            for at in 0..count {
                let (bytes, arrived) = batch.datagram(at);
                lengths.push(bytes.len());
                assert!((before..=wall_clock()).contains(&arrived.unwrap()));
            }
        }
        assert_eq!(lengths, [100, 50]);
        assert_eq!(batch.receive(to.as_raw_fd()), 0);
    }
}
