//! Datagrams by the batch, as Linux gives and takes them: many in one system call, those of one address in one piece, and with
//! the moment at which the kernel had each. quinn-udp tells no moments and sends to one address per call, rustix has neither,
//! and nix tells how much was sent by reading memory that it never wrote; so this is ours, with its unsafe code in one place.
//! Invariant: what the kernel is pointed at lives until the call returns, and is as long as it is told.

mod receiving;
mod sending;

pub use receiving::{Arrivals, Batch, Wait, join, note_arrivals, wall_clock};
pub use sending::{RUNS, Run, can_cut, send};

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd};

/// Sets an option of a socket that is a number.
fn set(socket: &impl AsFd, level: libc::c_int, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the value is an int that lives during the call, and its true length is given.
    let done = unsafe { libc::setsockopt(socket.as_fd().as_raw_fd(), level, option, (&raw const value).cast(), length) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::time::Duration;

    use socket2::SockAddr;

    use super::*;

    fn bound() -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
        socket.set_read_timeout(Some(Duration::from_secs(5))).expect("set");
        socket
    }

    /// What comes, until it is so many datagrams: the length of each, and when it came.
    fn read(socket: &UdpSocket, batch: &mut Batch, count: usize) -> Vec<(usize, Option<u64>)> {
        let mut came = Vec::new();
        while came.len() < count {
            let some = batch.receive(socket, Wait::ForOne).unwrap_or_else(|error| panic!("only {came:?} came: {error}"));
            for at in 0..some {
                let arrivals = batch.arrivals(at);
                let moment = arrivals.at;
                came.extend(arrivals.datagrams().map(|bytes| (bytes.len(), moment)));
            }
        }
        assert!(batch.receive(socket, Wait::No).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock));
        came
    }

    fn send_all(socket: &UdpSocket, runs: &[Run<'_>]) {
        assert_eq!(send(socket, runs).expect("sent"), runs.len());
    }

    #[test]
    fn datagrams_come_with_their_moment_and_sender() {
        let (from, to) = (bound(), bound());
        note_arrivals(&to).expect("set");
        let before = wall_clock();
        for length in [100, 50] {
            from.send_to(&vec![7; length], to.local_addr().expect("bound")).expect("sent");
        }
        let mut batch = Batch::new(32, 2_048);
        let came = read(&to, &mut batch, 2);
        assert_eq!(came.iter().map(|(length, _)| *length).collect::<Vec<_>>(), [100, 50]);
        for (_, at) in came {
            assert!((before..=wall_clock()).contains(&at.expect("a moment")));
        }
        from.send_to(&[1], to.local_addr().expect("bound")).expect("sent");
        assert_eq!(batch.receive(&to, Wait::ForOne).expect("one"), 1);
        assert_eq!(batch.arrivals(0).from, from.local_addr().ok());
    }

    #[test]
    fn a_moment_is_that_of_coming_and_not_of_reading() {
        let (from, to) = (bound(), bound());
        note_arrivals(&to).expect("set");
        let noted = || {
            from.send_to(&[7; 9], to.local_addr().expect("bound")).expect("sent");
            // The kernel has it now, as sending over the loopback hands it over.
            let after = wall_clock();
            std::thread::sleep(Duration::from_millis(20));
            read(&to, &mut Batch::new(1, 64), 1)[0].1.expect("a moment") <= after
        };
        // The first socket of a machine that asks is heard a little later; until then the kernel says when it was read.
        assert!((0..250).any(|_| noted()), "never for 5 s");
    }

    #[test]
    fn a_run_arrives_in_pieces() {
        let (from, to) = (bound(), bound());
        let address: SockAddr = to.local_addr().expect("bound").into();
        send_all(&from, &[Run { to: address.clone(), bytes: &[7; 250], each: 100 }]);
        let lengths: Vec<_> = read(&to, &mut Batch::new(32, 2_048), 3).into_iter().map(|(length, _)| length).collect();
        assert_eq!(lengths, [100, 100, 50]);
    }

    #[test]
    fn what_the_kernel_joined_is_taken_apart() {
        let (from, to) = (bound(), bound());
        assert!(can_cut(&from));
        note_arrivals(&to).expect("set");
        join(&to).expect("set");
        let address: SockAddr = to.local_addr().expect("bound").into();
        send_all(&from, &[Run { to: address.clone(), bytes: &[7; 3_050], each: 1_000 }]);
        let mut batch = Batch::new(4, 1 << 16);
        assert_eq!(batch.receive(&to, Wait::ForOne).expect("something"), 1, "in one piece");
        let arrivals = batch.arrivals(0);
        assert!(arrivals.at.is_some());
        assert_eq!(arrivals.datagrams().map(|bytes| bytes.len()).collect::<Vec<_>>(), [1_000, 1_000, 1_000, 50]);
    }

    #[test]
    fn a_call_takes_as_many_runs_as_fit() {
        let (from, to) = (bound(), bound());
        let address: SockAddr = to.local_addr().expect("bound").into();
        let runs: Vec<Run<'_>> = (0..RUNS + 5).map(|_| Run { to: address.clone(), bytes: &[1], each: 1 }).collect();
        assert_eq!(send(&from, &runs).expect("sent"), RUNS);
        assert_eq!(read(&to, &mut Batch::new(16, 64), RUNS).len(), RUNS);
    }

    #[test]
    fn a_refused_datagram_is_an_error() {
        let from = bound();
        let nowhere = "[2001:db8::1]:9".parse::<std::net::SocketAddr>().expect("an address").into();
        assert!(send(&from, &[Run { to: nowhere, bytes: &[1], each: 1 }]).is_err());
    }
}
