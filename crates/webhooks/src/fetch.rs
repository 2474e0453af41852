//! Fetching what somebody named by an address, to where the guard lets requests go.
//! Invariant: as of `post.rs`; and no more is held than was allowed for.

use std::sync::Arc;

use crate::guard::Guard;
use crate::post::{client, explain};

/// Fetches; clones share their connections.
#[derive(Clone)]
pub struct Fetch {
    client: reqwest::Client,
    guard: Arc<Guard>,
}

impl Fetch {
    /// # Errors
    /// The system has no means for it.
    pub fn new(guard: Arc<Guard>) -> anyhow::Result<Self> {
        Ok(Self { client: client(guard.clone())?, guard })
    }

    /// What is at this address, if it is no more than `most` bytes and comes within the seconds that receivers have.
    ///
    /// # Errors
    /// Why it could not be had, without the address.
    pub async fn get(&self, url: &str, most: usize) -> Result<Vec<u8>, String> {
        let url = self.guard.judge(url).map_err(|why| format!("the address {why}"))?;
        let mut answer = self.client.get(url).send().await.map_err(|error| explain(&error))?;
        if !answer.status().is_success() {
            return Err(format!("the answer is {}", answer.status().as_u16()));
        }
        let mut all = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|error| explain(&error))? {
            if all.len() + part.len() > most {
                return Err(format!("it is more than {most} bytes"));
            }
            all.extend_from_slice(&part);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use salon_edge::Network;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers everybody with this.
    async fn server(answer: &'static str) -> String {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let url = format!("http://{}/mark.png", listener.local_addr().expect("it has one"));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut asked = [0; 1_024];
                let _ = stream.read(&mut asked).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        url
    }

    #[tokio::test]
    async fn what_is_there_is_had_and_nothing_else() {
        let open = Fetch::new(Arc::new(Guard::new(Network::loopback().to_vec()))).expect("made");
        let url = server("HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nmark").await;
        assert_eq!(open.get(&url, 4).await, Ok(b"mark".to_vec()));
        assert_eq!(open.get(&url, 3).await, Err("it is more than 3 bytes".to_owned()));
        let closed = Fetch::new(Arc::new(Guard::new(Vec::new()))).expect("made");
        assert!(closed.get(&url, 4).await.unwrap_err().starts_with("the address "));
        let url = server("HTTP/1.1 302 Found\r\nlocation: /other\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
        assert_eq!(open.get(&url, 4).await, Err("the answer is 302".to_owned()));
    }
}
