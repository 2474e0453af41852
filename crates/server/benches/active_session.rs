//! What one `GET active-session` costs the server in CPU, at 1, 100 and 1000 live sessions, beside a bare HTTP answer.
//! Both servers are processes of their own, read from outside (utime + stime), in one run on one machine.
//! Run: `cargo bench -p salon-server --bench active_session`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use futures_util::{SinkExt, StreamExt};
use prost::Message as _;
use salon_wire::event_id;
use salon_wire::signaling::message::v1::SocketMessage;
use salon_wire::signaling::socket::room;
use tokio_tungstenite::tungstenite::Message;

const REQUESTS: usize = 60_000;
const CONNECTIONS: usize = 4;
const API: &str = "/client/v4/accounts/dev/realtime/kit/dev";

fn main() {
    if std::env::args().any(|argument| argument == "--floor") {
        return floor();
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let floor = Server::start(Command::new(std::env::current_exe().expect("our own path")).arg("--floor"));
    let bare = floor.cpu_per_request(&["/".to_string()]);
    println!("bare axum answer of the same size           {bare:6.2} us CPU");
    let data = std::env::temp_dir().join(format!("salon-bench-{}", std::process::id()));
    let mut salon = Command::new(env!("CARGO_BIN_EXE_salon"));
    salon.args(["dev", "--listen", "127.0.0.1:0", "--media-port", "0", "--set", "log.level=warn", "--data"]).arg(&data);
    let salon = Server::start(&mut salon);
    let mut sockets = Vec::new();
    let mut paths = Vec::new();
    for sessions in [1, 100, 1000] {
        while paths.len() < sessions {
            let (meeting, token) = salon.invite();
            sockets.push(runtime.block_on(join(&salon.addr, &meeting, &token)));
            paths.push(format!("{API}/meetings/{meeting}/active-session"));
        }
        let began = Instant::now();
        let cost = salon.cpu_per_request(&paths);
        let rate = REQUESTS as f64 / began.elapsed().as_secs_f64();
        println!(
            "GET active-session, {sessions:4} live sessions        {cost:6.2} us CPU, {:4.2} x bare, {rate:7.0} requests/s",
            cost / bare
        );
    }
    drop(sockets);
    drop(salon);
    let _ = std::fs::remove_dir_all(data);
}

/// The least an HTTP answer costs with the same libraries.
fn floor() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("salon ready http://{}", listener.local_addr().expect("an address"));
        let body = "x".repeat(520);
        let answer = move || std::future::ready(([("content-type", "application/json")], body.clone()));
        axum::serve(listener, axum::Router::new().route("/", axum::routing::get(answer))).await.expect("a server");
    });
}

struct Server {
    process: Child,
    addr: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    fn start(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the server starts");
        let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let ready = lines.find_map(|line| line.ok()?.strip_prefix("salon ready http://").map(str::to_owned));
        Self { process, addr: ready.expect("it becomes ready") }
    }

    /// Seconds of CPU used so far.
    fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).expect("the process lives");
        let fields: Vec<&str> = stat.rsplit(") ").next().expect("fields follow the name").split(' ').collect();
        let ticks: f64 = fields[11].parse::<f64>().expect("utime") + fields[12].parse::<f64>().expect("stime");
        ticks / 100.0
    }

    /// Microseconds of CPU per request, over several connections that are kept open.
    fn cpu_per_request(&self, paths: &[String]) -> f64 {
        let run = |requests: usize| {
            std::thread::scope(|scope| {
                for connection in 0..CONNECTIONS {
                    scope.spawn(move || {
                        let mut http = Http::open(&self.addr);
                        for n in 0..requests / CONNECTIONS {
                            let (status, _) = http.ask("GET", &paths[(n * CONNECTIONS + connection) % paths.len()], "");
                            assert_eq!(status, 200);
                        }
                    });
                }
            });
        };
        run(REQUESTS / 10);
        let before = self.cpu();
        run(REQUESTS);
        (self.cpu() - before) * 1e6 / REQUESTS as f64
    }

    /// A new meeting with one participant: its id and the participant's token.
    fn invite(&self) -> (String, String) {
        let mut http = Http::open(&self.addr);
        let (_, meeting) = http.ask("POST", &format!("{API}/meetings"), "{}");
        let meeting: serde_json::Value = serde_json::from_str(&meeting).expect("JSON");
        let id = meeting["data"]["id"].as_str().expect("an id").to_owned();
        let body = r#"{"name":"Ada","preset_name":"group_call_host","custom_participant_id":"ada"}"#;
        let (_, ada) = http.ask("POST", &format!("{API}/meetings/{id}/participants"), body);
        let ada: serde_json::Value = serde_json::from_str(&ada).expect("JSON");
        (id, ada["data"]["token"].as_str().expect("a token").to_owned())
    }
}

struct Http {
    stream: BufReader<TcpStream>,
    addr: String,
}

impl Http {
    fn open(addr: &str) -> Self {
        let stream = TcpStream::connect(addr).expect("a connection");
        stream.set_nodelay(true).expect("a socket option");
        Self { stream: BufReader::new(stream), addr: addr.to_owned() }
    }

    fn ask(&mut self, method: &str, path: &str, body: &str) -> (u16, String) {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer dev-token\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            self.addr,
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes()).expect("the request leaves");
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("a status line");
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        let mut length = 0;
        loop {
            line.clear();
            self.stream.read_line(&mut line).expect("a header");
            match line.trim_end() {
                "" => break,
                header => {
                    if let Some(value) = header.strip_prefix("content-length: ") {
                        length = value.parse().expect("a length");
                    }
                }
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).expect("a body");
        (status, String::from_utf8(body).expect("text"))
    }
}

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

/// Joins a meeting and stays.
async fn join(addr: &str, meeting: &str, token: &str) -> tokio::task::JoinHandle<()> {
    let peer = uuid::Uuid::new_v4();
    let url = format!("ws://{addr}/ws?roomID={meeting}&peerID={peer}&authToken={token}");
    let (mut socket, _): (Socket, _) = tokio_tungstenite::connect_async(url).await.expect("a socket");
    let request = room::JoinRoomRequest { peer: Some(room::Peer::default()), ..room::JoinRoomRequest::default() };
    let frame = SocketMessage {
        event: event_id::room::JOIN_ROOM,
        id: Some("join".to_owned()),
        payload: Some(request.encode_to_vec().into()),
        metadata: None,
    };
    socket.send(Message::Binary(frame.encode_to_vec().into())).await.expect("the join leaves");
    loop {
        let Some(Ok(message)) = socket.next().await else { panic!("the socket closed before the join was answered") };
        if let Message::Binary(bytes) = message {
            assert_eq!(SocketMessage::decode(bytes).expect("a frame").event, event_id::room::JOIN_ROOM, "the join was refused");
            break;
        }
    }
    tokio::spawn(async move {
        while let Some(Ok(message)) = socket.next().await {
            if message.to_text().is_ok_and(|text| text == "2") && socket.send(Message::Text("3".into())).await.is_err() {
                return;
            }
        }
    })
}
