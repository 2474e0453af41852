//! The socket: reads and sends many datagrams at once, without blocking. Where the kernel splits and joins datagrams itself
//! (UDP_SEGMENT, UDP_GRO) that saves most of what a packet costs; elsewhere the same calls carry one each.
//! Addresses are canonical on the inside: on a dual-stack socket IPv4 appears as IPv4, not as mapped IPv6.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use mio::net::UdpSocket;
use salon_udp::{Batch, Run, Wait};
use socket2::{Domain, Protocol, Socket, Type};

use super::clock::now;
use super::sent::SentCounts;
use crate::engine::address::Address;
use crate::engine::egress::outbox::Outbox;
use crate::limits::{HELD_BY_KERNEL, OUTBOX_RUNS};

/// Kernel buffers, in bytes: about a second of 30 Mbit/s. The system may grant less; that is not an error.
const SOCKET_BUFFER: usize = 4 << 20;

/// Buffers filled by one call, and their length: one may hold datagrams of one sender that the kernel joined.
const BUFFERS: usize = 16;
const BUFFER_BYTES: usize = 1 << 16;

// What an outbox holds leaves with one call.
const _: () = assert!(OUTBOX_RUNS <= salon_udp::RUNS);

/// A datagram that came.
pub(super) struct Arrival<'a> {
    pub from: SocketAddr,
    /// When the kernel had it, which may be long before it is read here where the machine is busy.
    pub at: Instant,
    pub bytes: &'a mut [u8],
}

pub(super) struct Udp {
    socket: UdpSocket,
    local: SocketAddr,
    batch: Batch,
    /// Whether the kernel cuts runs into datagrams.
    cuts: Cell<bool>,
}

impl Udp {
    /// A `shared` port may be bound several times; the kernel then gives all datagrams of one sender to one socket.
    pub(super) fn bind(address: SocketAddr, shared: bool) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
        socket.set_reuse_port(shared)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        Self::on(socket.into())
    }

    /// On a socket that is bound.
    pub(super) fn on(socket: std::net::UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let socket = UdpSocket::from_std(socket);
        let local = socket.local_addr()?;
        let cuts = Cell::new(salon_udp::can_cut(&socket));
        // Where the kernel can do neither, datagrams come one by one, at the moment at which they are read.
        let _ = salon_udp::join(&socket);
        let _ = salon_udp::note_arrivals(&socket);
        Ok(Self { socket, local, batch: Batch::new(BUFFERS, BUFFER_BYTES), cuts })
    }

    pub(super) fn source(&mut self) -> &mut UdpSocket {
        &mut self.socket
    }

    pub(super) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Hands over what is there, up to a batch. False if nothing is left: what comes from now on is told anew.
    pub(super) fn receive(&mut self, mut each: impl FnMut(Arrival<'_>)) -> bool {
        let count = loop {
            match self.batch.receive(&self.socket, Wait::No) {
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                // An earlier send met a closed port, or a signal came: says nothing about what is waiting.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
                    ) => {}
                Err(error) => {
                    tracing::debug!(%error, "socket cannot be read");
                    return false;
                }
            }
        };
        let (read, wall) = (now(), salon_udp::wall_clock());
        for at in 0..count {
            let arrivals = self.batch.arrivals(at);
            let Some(from) = arrivals.from.map(canonical) else { continue };
            let at = arrivals.at.map_or(read, |at| read - held(at, wall));
            arrivals.datagrams().for_each(|bytes| each(Arrival { from, at, bytes }));
        }
        self.batch.is_full()
    }

    /// Sends what an outbox has for UDP. What the kernel does not take is lost: waiting would delay everyone else's.
    pub(super) fn send(&self, outbox: &Outbox, sent: &mut SentCounts) {
        let runs = outbox.iter().filter_map(|run| match run.to {
            Address::Udp(to) => Some(Run { to: self.destination(to).into(), bytes: run.bytes, each: run.each }),
            Address::Tcp(_) => None,
        });
        match self.cuts.get() {
            true => self.send_runs(&runs.collect::<Vec<_>>(), sent),
            false => self.send_runs(&runs.flat_map(Run::pieces).collect::<Vec<_>>(), sent),
        }
    }

    fn send_runs(&self, mut runs: &[Run<'_>], sent: &mut SentCounts) {
        while let [first, others @ ..] = runs {
            match salon_udp::send(&self.socket, runs) {
                Ok(taken) => {
                    let (taken, left) = runs.split_at(taken);
                    taken.iter().for_each(|run| sent.left(run));
                    runs = left;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    sent.full += runs.iter().map(|run| run.count() as u64).sum::<u64>();
                    return;
                }
                // Some network cards cannot do what the kernel leaves to them when it cuts.
                Err(error) if matches!(error.raw_os_error(), Some(libc::EIO | libc::EINVAL)) && first.is_cut() => {
                    if self.cuts.replace(false) {
                        tracing::warn!(%error, "datagrams are sent one by one from now on");
                    }
                    return self.send_runs(&runs.iter().cloned().flat_map(Run::pieces).collect::<Vec<_>>(), sent);
                }
                Err(_) => {
                    sent.failed += first.count() as u64;
                    runs = others;
                }
            }
        }
    }

    fn destination(&self, to: SocketAddr) -> SocketAddr {
        match (self.local.is_ipv6(), to) {
            (true, SocketAddr::V4(v4)) => SocketAddr::from((v4.ip().to_ipv6_mapped(), v4.port())),
            _ => to,
        }
    }
}

/// How long the kernel held a datagram that came `at`, by its clock, until `wall`. That clock may be set meanwhile: what it
/// cannot have been is no time at all.
fn held(at: u64, wall: u64) -> Duration {
    let held = Duration::from_nanos(wall.saturating_sub(at));
    if held > HELD_BY_KERNEL { Duration::ZERO } else { held }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V6(v6) => match Ipv6Addr::to_ipv4_mapped(&v6) {
            Some(v4) => SocketAddr::from((v4, address.port())),
            None => address,
        },
        IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(host: &str) -> Udp {
        Udp::bind(host.parse().unwrap(), false).expect("bound")
    }

    /// Sends datagrams of these lengths; returns what arrived where: first byte and length.
    fn sent(from: &Udp, to: &mut [Udp], lengths: &[(usize, usize)]) -> Vec<Vec<(u8, usize)>> {
        let mut outbox = Outbox::default();
        for (n, (at, length)) in lengths.iter().enumerate() {
            let address = Address::Udp(to[*at].local_addr());
            outbox.add(address, &mut |_| panic!("it fits"), |buffer, start| buffer.resize(start + length, n as u8));
        }
        let mut counts = SentCounts::default();
        outbox.send(&mut |outbox| from.send(outbox, &mut counts));
        let bytes = lengths.iter().map(|(_, length)| *length as u64).sum();
        assert_eq!((counts.datagrams, counts.bytes, counts.full, counts.failed), (lengths.len() as u64, bytes, 0, 0));
        let read = |to: &mut Udp| {
            let mut came = vec![];
            while to.receive(|Arrival { from: sender, bytes, .. }| {
                assert_eq!(sender.port(), from.local_addr().port());
                came.push((bytes[0], bytes.len()));
            }) {}
            came
        };
        to.iter_mut().map(read).collect()
    }

    #[test]
    fn datagrams_sent_together_arrive_one_by_one() {
        for host in ["127.0.0.1:0", "[::1]:0"] {
            let lengths = [(0, 1_000), (0, 1_000), (0, 1_000), (0, 1_000), (0, 10)];
            let came = sent(&bound(host), &mut [bound(host)], &lengths);
            assert_eq!(came, [[(0, 1_000), (1, 1_000), (2, 1_000), (3, 1_000), (4, 10)]]);
        }
    }

    #[test]
    fn each_gets_its_own_whatever_the_others_get() {
        let lengths =
            [(0, 900), (0, 900), (1, 900), (1, 900), (2, 40), (0, 700), (0, 700), (0, 30), (1, 1_100), (2, 41), (0, 5), (1, 900)];
        let came = sent(&bound("127.0.0.1:0"), &mut [(); 3].map(|()| bound("127.0.0.1:0")), &lengths);
        let expected = |of: usize| -> Vec<(u8, usize)> {
            lengths.iter().enumerate().filter(|(_, (at, _))| *at == of).map(|(n, (_, length))| (n as u8, *length)).collect()
        };
        assert_eq!(came, [expected(0), expected(1), expected(2)]);
    }

    #[test]
    fn what_cannot_be_sent_costs_nobody_else_anything() {
        let (from, mut to) = (bound("127.0.0.1:0"), bound("127.0.0.1:0"));
        let mut outbox = Outbox::default();
        let unreachable = Address::Udp("[2001:db8::1]:9".parse().unwrap());
        for (n, to) in [Address::Udp(to.local_addr()), unreachable, Address::Udp(to.local_addr())].into_iter().enumerate() {
            outbox.add(to, &mut |_| panic!("it fits"), |buffer, _| buffer.extend([n as u8; 9]));
        }
        let mut counts = SentCounts::default();
        outbox.send(&mut |outbox| from.send(outbox, &mut counts));
        assert_eq!((counts.datagrams, counts.failed), (2, 1));
        let mut came = vec![];
        while to.receive(|arrival| came.push(arrival.bytes[0])) {}
        assert_eq!(came, [0, 2]);
    }

    #[test]
    fn a_busy_reader_knows_when_datagrams_came() {
        let (from, mut to) = (bound("127.0.0.1:0"), bound("127.0.0.1:0"));
        let mut known = || {
            from.socket.send_to(&[7], to.local_addr()).expect("sent");
            let sent = now();
            std::thread::sleep(Duration::from_millis(20));
            let mut came = vec![];
            while to.receive(|arrival| came.push(arrival.at)) {}
            // The two clocks are not read at the same moment.
            came.len() == 1 && came[0] < sent + Duration::from_millis(10)
        };
        // The first socket of a machine that asks is heard a little later.
        assert!((0..250).any(|_| known()), "never for 5 s");
    }

    #[test]
    fn a_clock_that_was_set_is_not_time_that_passed() {
        assert_eq!(held(1_000, 3_500), Duration::from_nanos(2_500));
        assert_eq!(held(3_500, 1_000), Duration::ZERO);
        assert_eq!(held(0, 3_600_000_000_000), Duration::ZERO);
    }

    #[test]
    fn a_dual_stack_socket_speaks_to_ipv4() {
        let came = sent(&bound("[::]:0"), &mut [bound("127.0.0.1:0")], &[(0, 5)]);
        assert_eq!(came, [[(0, 5)]]);
    }
}
