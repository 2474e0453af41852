//! The socket: reads many datagrams at once and sends many to one address at once, without blocking. Where the kernel
//! splits and joins datagrams itself (UDP_SEGMENT, UDP_GRO) that saves most of what a packet costs; elsewhere the same
//! calls carry one each.
//! Addresses are canonical on the inside: on a dual-stack socket IPv4 appears as IPv4, not as mapped IPv6.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use mio::net::UdpSocket;
use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};

use crate::engine::egress::Datagrams;

/// Kernel buffers, in bytes: about a second of 30 Mbit/s. The system may grant less; that is not an error.
const SOCKET_BUFFER: usize = 4 << 20;

/// Buffers filled by one call, and their length: one may hold datagrams of one sender that the kernel joined.
const BUFFERS: usize = 16;
const BUFFER_BYTES: usize = 1 << 16;

pub(super) struct Udp {
    socket: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
    buffers: Box<[u8]>,
}

/// What became of some datagrams.
pub(super) enum Sent {
    Yes,
    BufferFull,
    Failed,
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
        #[cfg(target_os = "linux")]
        socket.set_reuse_port(shared)?;
        #[cfg(not(target_os = "linux"))]
        let _ = shared;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into());
        let state = UdpSocketState::new((&socket).into())?;
        let local = socket.local_addr()?;
        Ok(Self { socket, state, local, buffers: vec![0; BUFFERS * BUFFER_BYTES].into() })
    }

    pub(super) fn source(&mut self) -> &mut UdpSocket {
        &mut self.socket
    }

    pub(super) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Hands over what is there, up to a batch. False if there was nothing.
    pub(super) fn receive(&mut self, mut each: impl FnMut(SocketAddr, &[u8])) -> bool {
        let mut meta = [RecvMeta::default(); BUFFERS];
        let count = loop {
            let mut chunks = self.buffers.chunks_mut(BUFFER_BYTES);
            let mut slices: [IoSliceMut<'_>; BUFFERS] =
                std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
            match self.state.recv((&self.socket).into(), &mut slices, &mut meta) {
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
        for (meta, buffer) in meta.iter().zip(self.buffers.chunks(BUFFER_BYTES)).take(count) {
            let from = canonical(meta.addr);
            for datagram in buffer[..meta.len.min(BUFFER_BYTES)].chunks(meta.stride.max(1)) {
                each(from, datagram);
            }
        }
        true
    }

    pub(super) fn send(&self, to: SocketAddr, datagrams: Datagrams<'_>) -> Sent {
        if datagrams.bytes.len() > datagrams.each && self.state.max_gso_segments() == 1 {
            return datagrams.iter().fold(Sent::Yes, |all, one| {
                match self.send(to, Datagrams { bytes: one, each: one.len(), ..datagrams }) {
                    Sent::Yes => all,
                    trouble => trouble,
                }
            });
        }
        let destination = match (self.local.is_ipv6(), to) {
            (true, SocketAddr::V4(v4)) => SocketAddr::from((v4.ip().to_ipv6_mapped(), v4.port())),
            _ => to,
        };
        let transmit = Transmit {
            destination,
            ecn: None,
            contents: datagrams.bytes,
            segment_size: (datagrams.bytes.len() > datagrams.each).then_some(datagrams.each),
            src_ip: None,
        };
        match self.state.try_send((&self.socket).into(), &transmit) {
            Ok(()) => Sent::Yes,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Sent::BufferFull,
            Err(_) => Sent::Failed,
        }
    }
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
    use crate::engine::address::Address;

    #[test]
    fn datagrams_sent_together_arrive_one_by_one() {
        for host in ["127.0.0.1:0", "[::1]:0"] {
            let from = Udp::bind(host.parse().unwrap(), false).expect("bound");
            let mut to = Udp::bind(host.parse().unwrap(), false).expect("bound");
            let bytes: Vec<u8> = (0..4).flat_map(|n| [n; 1_000]).chain([9; 10]).collect();
            let there = to.local_addr();
            let datagrams = Datagrams { to: Address::Udp(there), bytes: &bytes, each: 1_000 };
            assert!(matches!(from.send(there, datagrams), Sent::Yes));
            let mut came = vec![];
            while to.receive(|from, bytes| came.push((from, bytes[0], bytes.len()))) {}
            let expected: Vec<_> = [(0, 1_000), (1, 1_000), (2, 1_000), (3, 1_000), (9, 10)]
                .map(|(first, length)| (from.local_addr(), first, length))
                .into();
            assert_eq!(came, expected);
        }
    }

    #[test]
    fn a_dual_stack_socket_speaks_to_ipv4() {
        let dual = Udp::bind("[::]:0".parse().unwrap(), false).expect("bound");
        let mut plain = Udp::bind("127.0.0.1:0".parse().unwrap(), false).expect("bound");
        let there = plain.local_addr();
        assert!(matches!(dual.send(there, Datagrams { to: Address::Udp(there), bytes: b"salut", each: 5 }), Sent::Yes));
        let mut came = vec![];
        while plain.receive(|from, bytes| came.push((from.port(), bytes.to_vec()))) {}
        assert_eq!(came, [(dual.local_addr().port(), b"salut".to_vec())]);
    }
}
