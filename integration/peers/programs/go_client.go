// A reverse tunnel by golang.org/x/crypto/ssh. Arguments: port, user, key file, host key ("type base64"), port to listen on, target port,
// rekey bytes or 0. Prints "listening PORT"; on SIGUSR1 it cancels the forwarding and prints "cancelled".
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/crypto/ssh"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func relay(visitor net.Conn, target string) {
	there, err := net.Dial("tcp", target)
	if err != nil {
		visitor.Close()
		return
	}
	var both sync.WaitGroup
	both.Add(2)
	half := func(to, from net.Conn) {
		io.Copy(to, from)
		to.(interface{ CloseWrite() error }).CloseWrite()
		both.Done()
	}
	go half(there, visitor)
	go half(visitor, there)
	both.Wait()
	visitor.Close()
	there.Close()
}

func main() {
	text, err := os.ReadFile(os.Args[3])
	check(err)
	key, err := ssh.ParsePrivateKey(text)
	check(err)
	hostKey, _, _, _, err := ssh.ParseAuthorizedKey([]byte(os.Args[4]))
	check(err)
	rekey, err := strconv.ParseUint(os.Args[7], 10, 64)
	check(err)
	client, err := ssh.Dial("tcp", "127.0.0.1:"+os.Args[1], &ssh.ClientConfig{
		Config:            ssh.Config{RekeyThreshold: rekey},
		User:              os.Args[2],
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(key)},
		HostKeyCallback:   ssh.FixedHostKey(hostKey),
		HostKeyAlgorithms: []string{hostKey.Type()},
	})
	check(err)
	listener, err := client.Listen("tcp", "127.0.0.1:"+os.Args[5])
	check(err)
	fmt.Println("listening", listener.Addr().(*net.TCPAddr).Port)
	cancel := make(chan os.Signal, 1)
	signal.Notify(cancel, syscall.SIGUSR1)
	go func() {
		for {
			visitor, err := listener.Accept()
			if err != nil {
				return
			}
			go relay(visitor, "127.0.0.1:"+os.Args[6])
		}
	}()
	go func() {
		<-cancel
		check(listener.Close())
		fmt.Println("cancelled")
	}()
	log.Fatal(client.Wait())
}
