//! Meetings and participants, made over REST with plain HTTP/1.1 on a connection for each request.

use anyhow::{Context, bail};
use salon_peer::Invite;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A server, and the account and app to use there.
#[derive(Clone, Debug)]
pub struct Door {
    /// HOST:PORT.
    pub address: String,
    pub account: String,
    pub app: String,
    pub token: String,
}

impl Door {
    pub async fn meeting(&self, title: &str) -> anyhow::Result<String> {
        let made = self.post("/meetings", &json!({ "title": title })).await.context("cannot make a meeting")?;
        text(&made, "id")
    }

    pub async fn participant(&self, meeting: &str, name: &str) -> anyhow::Result<Invite> {
        let body = json!({ "name": name, "preset_name": "group_call_host", "custom_participant_id": name });
        let path = format!("/meetings/{meeting}/participants");
        let made = self.post(&path, &body).await.context("cannot add a participant")?;
        Ok(Invite { meeting: meeting.to_owned(), participant: text(&made, "id")?, token: text(&made, "token")? })
    }

    /// The server's metrics, as text.
    pub async fn metrics(&self) -> anyhow::Result<String> {
        self.ask(&format!("GET /metrics HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address)).await
    }

    /// Starts a recording; its id.
    pub async fn record(&self, meeting: &str) -> anyhow::Result<String> {
        let started = self.post("/recordings", &json!({ "meeting_id": meeting })).await.context("cannot record")?;
        text(&started, "id")
    }

    pub async fn stop_recording(&self, id: &str) -> anyhow::Result<()> {
        let stop = json!({ "action": "stop" });
        self.call("PUT", &format!("/recordings/{id}"), &stop).await.context("cannot stop the recording")?;
        Ok(())
    }

    pub async fn recording(&self, id: &str) -> anyhow::Result<Value> {
        self.call("GET", &format!("/recordings/{id}"), &Value::Null).await.context("cannot find the recording")
    }

    /// A webhook that is told who joins; its id.
    pub async fn webhook(&self, url: &str) -> anyhow::Result<String> {
        let body = json!({ "name": "bench", "url": url, "events": ["meeting.participantJoined"] });
        text(&self.post("/webhooks", &body).await.context("cannot make a webhook")?, "id")
    }

    pub async fn delete_webhook(&self, id: &str) -> anyhow::Result<()> {
        self.call("DELETE", &format!("/webhooks/{id}"), &Value::Null).await.context("cannot delete the webhook")?;
        Ok(())
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.call("POST", path, body).await
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let Self { address, account, app, token } = self;
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let head = format!(
            "{method} /client/v4/accounts/{account}/realtime/kit/{app}{path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             authorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let answer = self.ask(&format!("{head}{body}")).await?;
        let answer: Value = serde_json::from_str(&answer).context("the answer is not JSON")?;
        Ok(answer["data"].clone())
    }

    /// The body of the answer to a whole request.
    async fn ask(&self, request: &str) -> anyhow::Result<String> {
        let address = &self.address;
        let mut stream = TcpStream::connect(address).await.with_context(|| format!("cannot reach {address}"))?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (head, body) = answer.split_once("\r\n\r\n").context("the answer is not HTTP")?;
        let status = head.split_ascii_whitespace().nth(1).unwrap_or_default();
        if !status.starts_with('2') {
            bail!("the server answers {status}: {}", body.trim());
        }
        Ok(body.to_owned())
    }
}

fn text(value: &Value, name: &str) -> anyhow::Result<String> {
    Ok(value[name].as_str().with_context(|| format!("the answer has no {name}"))?.to_owned())
}
