// An SSH server by golang.org/x/crypto/ssh that grants tcpip-forward. Arguments: port, host key file, authorized key ("type base64"),
// rekey bytes or 0. Prints "ready".
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"sync"

	"golang.org/x/crypto/ssh"
)

type address struct {
	Host string
	Port uint32
}

// RFC 4254 section 7.2.
type forwarded struct {
	Host       string
	Port       uint32
	OriginHost string
	OriginPort uint32
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func relay(channel ssh.Channel, visitor net.Conn) {
	var both sync.WaitGroup
	both.Add(2)
	go func() {
		io.Copy(channel, visitor)
		channel.CloseWrite()
		both.Done()
	}()
	go func() {
		io.Copy(visitor, channel)
		visitor.(*net.TCPConn).CloseWrite()
		both.Done()
	}()
	both.Wait()
	channel.Close()
	visitor.Close()
}

func listen(connection *ssh.ServerConn, asked address) (net.Listener, uint32, error) {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", asked.Port))
	if err != nil {
		return nil, 0, err
	}
	port := uint32(listener.Addr().(*net.TCPAddr).Port)
	go func() {
		for {
			visitor, err := listener.Accept()
			if err != nil {
				return
			}
			from := visitor.RemoteAddr().(*net.TCPAddr)
			open := forwarded{asked.Host, port, from.IP.String(), uint32(from.Port)}
			channel, requests, err := connection.OpenChannel("forwarded-tcpip", ssh.Marshal(open))
			if err != nil {
				visitor.Close()
				continue
			}
			go ssh.DiscardRequests(requests)
			go relay(channel, visitor)
		}
	}()
	return listener, port, nil
}

func serve(socket net.Conn, config *ssh.ServerConfig) {
	connection, channels, requests, err := ssh.NewServerConn(socket, config)
	if err != nil {
		log.Print(err)
		return
	}
	listeners := map[uint32]net.Listener{}
	go func() {
		for channel := range channels {
			channel.Reject(ssh.Prohibited, "this server only forwards")
		}
	}()
	for request := range requests {
		var asked address
		switch request.Type {
		case "tcpip-forward":
			check(ssh.Unmarshal(request.Payload, &asked))
			listener, port, err := listen(connection, asked)
			if err == nil {
				listeners[port] = listener
			}
			var reply []byte
			if asked.Port == 0 {
				reply = ssh.Marshal(struct{ Port uint32 }{port})
			}
			request.Reply(err == nil, reply)
		case "cancel-tcpip-forward":
			check(ssh.Unmarshal(request.Payload, &asked))
			listener, found := listeners[asked.Port]
			if found {
				listener.Close()
			}
			request.Reply(found, nil)
		default:
			request.Reply(false, nil)
		}
	}
	for _, listener := range listeners {
		listener.Close()
	}
}

func main() {
	text, err := os.ReadFile(os.Args[2])
	check(err)
	hostKey, err := ssh.ParsePrivateKey(text)
	check(err)
	authorized, _, _, _, err := ssh.ParseAuthorizedKey([]byte(os.Args[3]))
	check(err)
	rekey, err := strconv.ParseUint(os.Args[4], 10, 64)
	check(err)
	config := &ssh.ServerConfig{
		Config: ssh.Config{RekeyThreshold: rekey},
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if bytes.Equal(key.Marshal(), authorized.Marshal()) {
				return nil, nil
			}
			return nil, errors.New("not the authorized key")
		},
	}
	config.AddHostKey(hostKey)
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	check(err)
	fmt.Println("ready")
	for {
		socket, err := listener.Accept()
		check(err)
		go serve(socket, config)
	}
}
