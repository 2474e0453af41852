//! Sending with UDP segmentation, and what else is asked of the system for a load; all unsafe code of the crate.
//! Invariant: pointers handed to the kernel point into buffers that live until the call returns.

use std::mem::{size_of, zeroed};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
/// Datagrams to one connected address: `bytes` is cut into pieces of `segment`.
pub struct Run<'a> {
    pub to: &'a socket2::SockAddr,
    pub bytes: &'a [u8],
    pub segment: u16,
}

/// Sends runs with one call for up to 64 of them, each as one segmented message. How many were taken.
pub fn send_runs(socket: &UdpSocket, runs: &[Run<'_>], segmentation: bool) -> usize {
    const MOST: usize = 64;
    let runs = &runs[..runs.len().min(MOST)];
    // SAFETY: all-zero is a valid value of these plain C structs.
    let (mut heads, mut parts): ([libc::mmsghdr; MOST], [libc::iovec; MOST]) = unsafe { (zeroed(), zeroed()) };
    let mut control = [[0u64; 4]; MOST];
    for (at, run) in runs.iter().enumerate() {
        parts[at] = libc::iovec { iov_base: run.bytes.as_ptr().cast_mut().cast(), iov_len: run.bytes.len() };
        let head = &mut heads[at].msg_hdr;
        head.msg_name = run.to.as_ptr().cast_mut().cast();
        head.msg_namelen = run.to.len();
        head.msg_iov = &raw mut parts[at];
        head.msg_iovlen = 1;
        if segmentation && run.bytes.len() > usize::from(run.segment) {
            head.msg_control = control[at].as_mut_ptr().cast();
            // SAFETY: the control area is 32 bytes, more than a header and a 16-bit value need.
            unsafe {
                head.msg_controllen = libc::CMSG_SPACE(size_of::<u16>() as u32) as _;
                let entry = libc::CMSG_FIRSTHDR(head);
                (*entry).cmsg_level = libc::SOL_UDP;
                (*entry).cmsg_type = libc::UDP_SEGMENT;
                (*entry).cmsg_len = libc::CMSG_LEN(size_of::<u16>() as u32) as _;
                libc::CMSG_DATA(entry).cast::<u16>().write_unaligned(run.segment);
            }
        }
    }
    // SAFETY: every head points at an address, a part and a control area that live until the call returns.
    let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), heads.as_mut_ptr(), runs.len() as u32, 0) };
    usize::try_from(sent).unwrap_or(0)
}

/// Lets this process, and those it starts, open as many files as the system allows: a client needs two.
pub fn allow_many_files() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the struct lives during both calls.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) != 0 {
            return 1_024;
        }
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
    }
    limit.rlim_cur
}

/// Asks a process of ours to end.
pub fn ask_to_end(process: u32) {
    // SAFETY: sends a signal, touches no memory. The id is that of a child that was not waited for, so it is still ours.
    unsafe { libc::kill(process as libc::pid_t, libc::SIGTERM) };
}

/// Clock ticks a second, the unit of CPU time in `/proc`.
pub fn ticks_per_second() -> u64 {
    // SAFETY: reads a constant of the system.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).unwrap_or(100).max(1)
}

/// Returns when this process is asked to end (SIGTERM): what it started is to end with it.
pub async fn asked_to_end() {
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut asked) => _ = asked.recv().await,
        Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use salon_peer::kernel::Batch;

    use super::*;

    #[test]
    fn a_run_arrives_in_pieces() {
        let from = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = UdpSocket::bind("127.0.0.1:0").unwrap();
        to.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let address = to.local_addr().unwrap().into();
        let run = Run { to: &address, bytes: &[7; 250], segment: 100 };
        assert_eq!(send_runs(&from, &[run], true), 1);
        let mut batch = Batch::default();
        let mut lengths = Vec::new();
        while lengths.len() < 3 {
            let count = batch.wait(to.as_raw_fd());
            assert!(count > 0, "only {lengths:?} came");
            for at in 0..count {
                let (bytes, _) = batch.datagram(at);
                lengths.push(bytes.len());
            }
        }
        assert_eq!(lengths, [100, 100, 50]);
        assert_eq!(batch.receive(to.as_raw_fd()), 0);
    }
}
