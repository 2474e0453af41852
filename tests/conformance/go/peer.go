package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
)

// Kinds of websocket frames, RFC 6455 section 5.2.
const (
	aText   = 1
	aBinary = 2
	aClose  = 8
	aPing   = 9
	aPong   = 10
)

// joinRoom is the event of a join in a signaling message.
const joinRoom = 3

// peer is the smallest participant: a websocket that joins a meeting and stays until it is closed. Sessions begin when
// somebody joins, which no REST call can do.
type peer struct {
	id     string
	socket net.Conn
}

// joins comes into a meeting; returns when the peer is in.
func joins(base, meeting, token string) peer {
	here := must(url.Parse(base))
	p := peer{uuid(), must(net.Dial("tcp", here.Host))}
	query := url.Values{"roomID": {meeting}, "peerID": {p.id}, "authToken": {token}, "ping": {"true"}, "capabilities": {"2"}}
	fmt.Fprintf(p.socket, "GET /ws?%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", query.Encode(), here.Host, base64.StdEncoding.EncodeToString(random(16)))
	reader := bufio.NewReader(p.socket)
	answer := must(http.ReadResponse(reader, nil))
	if answer.StatusCode != http.StatusSwitchingProtocols {
		panic(fmt.Sprint("the socket was refused: ", answer.StatusCode))
	}
	in := make(chan error, 1)
	go p.listens(reader, in)
	// SocketMessage {event, id} with an empty payload.
	p.sends(aBinary, append([]byte{0x08, joinRoom, 0x12, 4}, "join"...))
	if err := <-in; err != nil {
		panic(err)
	}
	return p
}

// listens answers what keeps the socket open, and tells when the join was answered. Its answer echoes the id; keepalives and
// pushes may come before it.
func (p peer) listens(reader *bufio.Reader, in chan<- error) {
	for {
		kind, payload, err := frame(reader)
		switch {
		case err != nil:
			// Who is in already hears nobody any more.
			select {
			case in <- fmt.Errorf("the server closed the socket: %w", err):
			default:
			}
			return
		case kind == aText && string(payload) == "2":
			p.sends(aText, []byte("3"))
		case kind == aPing:
			p.sends(aPong, payload)
		case kind == aBinary && bytes.Contains(payload, []byte("join")):
			if bytes.HasPrefix(payload, []byte{0x08, joinRoom}) {
				in <- nil
			} else {
				in <- fmt.Errorf("joining failed: %q", payload)
			}
		}
	}
}

func (p peer) leaves() {
	p.sends(aClose, []byte{0x03, 0xe8})
	p.socket.Close()
}

// sends writes one masked frame; everything sent here is short.
func (p peer) sends(kind byte, payload []byte) {
	mask := random(4)
	bytes := append([]byte{0x80 | kind, 0x80 | byte(len(payload))}, mask...)
	for at, one := range payload {
		bytes = append(bytes, one^mask[at%4])
	}
	p.socket.Write(bytes)
}

// frame reads one from the server.
func frame(reader *bufio.Reader) (kind byte, payload []byte, err error) {
	head := make([]byte, 2)
	if _, err = io.ReadFull(reader, head); err != nil {
		return
	}
	size := uint64(head[1] & 0x7f)
	if longer := map[uint64]int{126: 2, 127: 8}[size]; longer > 0 {
		extended := make([]byte, 8)
		if _, err = io.ReadFull(reader, extended[8-longer:]); err != nil {
			return
		}
		size = binary.BigEndian.Uint64(extended)
	}
	payload = make([]byte, size)
	_, err = io.ReadFull(reader, payload)
	return head[0] & 0x0f, payload, err
}

func random(length int) []byte {
	bytes := make([]byte, length)
	must(rand.Read(bytes))
	return bytes
}

func uuid() string {
	bytes := random(16)
	bytes[6], bytes[8] = bytes[6]&0x0f|0x40, bytes[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", bytes[:4], bytes[4:6], bytes[6:8], bytes[8:10], bytes[10:])
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
