//! A connection to a receiver: to where it may go, over TLS if the address says so, with nobody waited for for long.
//! Invariant: a name is resolved once, all it stands for is judged, and only to that is connected.
//! Next: `publisher.rs`, what is said on it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls_platform_verifier::BuilderVerifierExt;
use salon_edge::Borders;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::rtmp::address::Address;
use crate::rtmp::publisher::{Publisher, Refusal};

/// A receiver has this long to be reached, and as long again to take the stream.
const WITHIN: Duration = Duration::from_secs(10);
/// One of several addresses has this long.
const EACH: Duration = Duration::from_secs(4);
/// Addresses of a name that are tried.
const TRIED: usize = 4;
/// Bytes that the system holds for a receiver: more and one that is slow is seconds late before it is noticed. Less would be too
/// little for one that is far away.
const AHEAD: u32 = 128 * 1_024;
/// Bytes that a receiver may say at once, and each second: it answers in few words.
const SAID: u64 = 1 << 20;
const SAID_A_SECOND: u64 = 64 * 1_024;
/// A receiver that takes nothing for this long is as good as gone.
const STALLED: Duration = Duration::from_secs(10);

/// Why a stream does not go on. Nothing of the address is in it.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error("the receiver's name cannot be found")]
    Unknown,
    #[error("its address leads into a private network")]
    Private,
    #[error("the receiver cannot be reached")]
    Unreachable,
    #[error("TLS with the receiver fails: {0}")]
    Tls(&'static str),
    #[error("the receiver does not answer")]
    Silent,
    #[error("the receiver takes nothing more")]
    Stalled,
    #[error("the connection to the receiver broke off")]
    Lost,
    #[error("{0}")]
    Refused(#[from] Refusal),
}

trait Both: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Both for T {}

/// A connection over which a stream is sent.
pub struct Line {
    reads: ReadHalf<Box<dyn Both>>,
    writes: WriteHalf<Box<dyn Both>>,
    pub publisher: Publisher,
    since: Instant,
    said: u64,
}

impl Line {
    /// Connects, and has the receiver take the stream.
    ///
    /// # Errors
    /// Why not.
    pub async fn open(address: &Address, borders: &Borders) -> Result<Self, Broken> {
        let until = Instant::now() + WITHIN;
        let stream = timeout_at(until, connect(address, borders)).await.unwrap_or(Err(Broken::Unreachable))?;
        let stream: Box<dyn Both> = match address.is_secure {
            true => timeout_at(until, secure(address, stream, trusting()?)).await.unwrap_or(Err(Broken::Silent))?,
            false => Box::new(stream),
        };
        let (reads, writes) = split(stream);
        let publisher = Publisher::new(address.clone(), uuid::Uuid::new_v4().into_bytes());
        let mut line = Self { reads, writes, publisher, since: Instant::now(), said: 0 };
        let taken = async {
            while !line.publisher.is_streaming() {
                line.flush().await?;
                if !line.publisher.is_streaming() {
                    line.read().await?;
                }
            }
            Ok(())
        };
        timeout(WITHIN, taken).await.unwrap_or(Err(Broken::Silent))?;
        Ok(line)
    }

    /// Sends what is to be sent, and hears what comes meanwhile.
    ///
    /// # Errors
    /// If the receiver does not take it, or is gone.
    pub async fn flush(&mut self) -> Result<(), Broken> {
        loop {
            let out = self.publisher.out();
            if out.is_empty() {
                return Ok(());
            }
            let (mut sent, mut until) = (0, Instant::now() + STALLED);
            let mut came = [0; 2_048];
            while sent < out.len() {
                tokio::select! {
                    wrote = self.writes.write(&out[sent..]) => match wrote {
                        Ok(length @ 1..) => (sent, until) = (sent + length, Instant::now() + STALLED),
                        _ => return Err(Broken::Lost),
                    },
                    read = self.reads.read(&mut came) => self.hear(&came, read)?,
                    () = sleep_until(until) => return Err(Broken::Stalled),
                }
            }
            match timeout_at(until, self.writes.flush()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(Broken::Lost),
                Err(_) => return Err(Broken::Stalled),
            }
        }
    }

    /// Hears what comes next; may be dropped and asked again.
    ///
    /// # Errors
    /// If the receiver ends the stream, or is gone.
    pub async fn read(&mut self) -> Result<(), Broken> {
        let mut came = [0; 2_048];
        let read = self.reads.read(&mut came).await;
        self.hear(&came, read)
    }

    fn hear(&mut self, came: &[u8], read: std::io::Result<usize>) -> Result<(), Broken> {
        let Ok(length @ 1..) = read else { return Err(Broken::Lost) };
        self.said += length as u64;
        if self.said > SAID + SAID_A_SECOND * self.since.elapsed().as_secs() {
            return Err(Refusal::Nonsense.into());
        }
        Ok(self.publisher.take(&came[..length])?)
    }

    /// Ends the stream in order.
    pub async fn close(mut self) {
        self.publisher.end();
        if self.flush().await.is_ok() {
            let _ = self.writes.shutdown().await;
        }
    }
}

async fn connect(address: &Address, borders: &Borders) -> Result<TcpStream, Broken> {
    let found = lookup_host((address.host.as_str(), address.port)).await.map_err(|_| Broken::Unknown)?;
    let found: Vec<SocketAddr> = found.collect();
    if found.is_empty() {
        return Err(Broken::Unknown);
    }
    if !found.iter().all(|address| borders.admits(address.ip())) {
        return Err(Broken::Private);
    }
    for address in found.into_iter().take(TRIED) {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let Ok(socket) = socket else { continue };
        // Where the system refuses, a slow receiver is later.
        let _ = socket.set_send_buffer_size(AHEAD);
        if let Ok(Ok(stream)) = timeout(EACH, socket.connect(address)).await {
            return Ok(stream);
        }
    }
    Err(Broken::Unreachable)
}

/// Trusts whom the system trusts.
fn trusting() -> Result<ClientConfig, Broken> {
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
    let config = config.and_then(BuilderVerifierExt::with_platform_verifier);
    Ok(config.map_err(|_| Broken::Tls("this server has no certificates to check with"))?.with_no_client_auth())
}

async fn secure(address: &Address, stream: TcpStream, config: ClientConfig) -> Result<Box<dyn Both>, Broken> {
    let name = ServerName::try_from(address.host.clone()).map_err(|_| Broken::Unknown)?;
    match TlsConnector::from(Arc::new(config)).connect(name, stream).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => {
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
            let is_certificate = matches!(inner, Some(tokio_rustls::rustls::Error::InvalidCertificate(_)));
            Err(Broken::Tls(if is_certificate { "its certificate is not valid" } else { "they do not agree" }))
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
    use tokio_rustls::rustls::{RootCertStore, ServerConfig};

    use super::*;

    async fn listener() -> (TcpListener, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, port)
    }

    #[tokio::test]
    async fn nothing_private_is_connected_to_however_it_is_spelled() {
        let (listener, port) = listener().await;
        let closed = Borders::new(Vec::new());
        for host in ["127.0.0.1", "localhost", "2130706433", "127.1", "0x7f.1", "[::ffff:127.0.0.1]", "[::1]", "0"] {
            let address = Address::read(&format!("rtmp://{host}:{port}/live/key")).unwrap();
            // Some of these are numbers to some systems, and nothing to others.
            let why = connect(&address, &closed).await.map(drop).unwrap_err();
            assert!(matches!(why, Broken::Private | Broken::Unknown), "{host}: {why}");
        }
        assert!(timeout(Duration::from_millis(50), listener.accept()).await.is_err(), "nobody came");
        let open = Borders::new(vec!["127.0.0.0/8".parse().unwrap()]);
        let address = Address::read(&format!("rtmp://127.0.0.1:{port}/live/key")).unwrap();
        assert!(connect(&address, &open).await.is_ok());
    }

    #[tokio::test]
    async fn a_receiver_that_talks_and_talks_is_left() {
        let (listener, port) = listener().await;
        let flood = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let shaken = [&[3][..], &[7; 2 * 1_536]].concat();
            stream.write_all(&shaken).await.unwrap();
            // Messages of a kind that says nothing to us.
            let words = [5, 0, 0, 0, 0, 0, 4, 15, 0, 0, 0, 0, 1, 2, 3, 4].repeat(4_096);
            while stream.write_all(&words).await.is_ok() {}
        });
        let open = Borders::new(vec!["127.0.0.0/8".parse().unwrap()]);
        let address = Address::read(&format!("rtmp://127.0.0.1:{port}/live/key")).unwrap();
        let why = Line::open(&address, &open).await.map(drop).unwrap_err();
        assert!(matches!(why, Broken::Refused(Refusal::Nonsense)), "{why}");
        flood.await.unwrap();
    }

    #[tokio::test]
    async fn over_tls_a_receiver_is_called_by_its_name_and_must_prove_it() {
        let rcgen::CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let versions = || Arc::new(default_provider());
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
        let served = ServerConfig::builder_with_provider(versions()).with_safe_default_protocol_versions().unwrap();
        let served = served.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key.into()).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(served));
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        let trusting_it = ClientConfig::builder_with_provider(versions()).with_safe_default_protocol_versions().unwrap();
        let trusting_it = trusting_it.with_root_certificates(roots).with_no_client_auth();
        let (listener, port) = listener().await;
        let served = tokio::spawn(async move {
            let mut names = Vec::new();
            for _ in 0..3 {
                let (stream, _) = listener.accept().await.unwrap();
                let name = acceptor.accept(stream).await.ok();
                names.push(name.and_then(|stream| stream.get_ref().1.server_name().map(str::to_owned)));
            }
            names
        });
        let to = async |host: &str, config| {
            let address = Address::read(&format!("rtmps://{host}:{port}/live/key")).unwrap();
            let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            secure(&address, stream, config).await.map(drop).map_err(|why| why.to_string())
        };
        assert_eq!(to("localhost", trusting_it.clone()).await, Ok(()));
        let invalid = Err("TLS with the receiver fails: its certificate is not valid".to_owned());
        assert_eq!(to("example.org", trusting_it).await, invalid, "it is of another name");
        assert_eq!(to("localhost", trusting().unwrap()).await, invalid, "nobody vouches for it");
        assert_eq!(served.await.unwrap(), [Some("localhost".to_owned()), None, None]);
    }
}
