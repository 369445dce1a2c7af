package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
)

func stream(network, address string) error {
	return within(func() error {
		listener, err := net.Listen(network, address)
		if err != nil {
			return err
		}
		defer listener.Close()
		served := make(chan error, 1)
		go func() {
			connection, err := listener.Accept()
			if err == nil {
				_, err = io.Copy(connection, connection)
				err = errors.Join(err, connection.Close())
			}
			served <- err
		}()
		connection, err := net.Dial(network, listener.Addr().String())
		if err != nil {
			return err
		}
		defer connection.Close()
		sent := make([]byte, 1<<20)
		rand.Read(sent)
		go func() {
			_, _ = connection.Write(sent)
			if half, ok := connection.(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			}
		}()
		received, err := io.ReadAll(connection)
		if err != nil {
			return err
		}
		if string(received) != string(sent) {
			return fmt.Errorf("%d bytes came back of %d, or others", len(received), len(sent))
		}
		return <-served
	})
}

func datagrams() error {
	return within(func() error {
		server, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer server.Close()
		client, err := net.Dial("udp", server.LocalAddr().String())
		if err != nil {
			return err
		}
		defer client.Close()
		if _, err := client.Write([]byte("ask")); err != nil {
			return err
		}
		buffer := make([]byte, 16)
		n, from, err := server.ReadFrom(buffer)
		if err != nil {
			return err
		}
		if string(buffer[:n]) != "ask" || from.String() != client.LocalAddr().String() {
			return fmt.Errorf("%q from %s", buffer[:n], from)
		}
		return nil
	})
}

func interfaces() error {
	list, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, one := range list {
		if one.Flags&net.FlagLoopback != 0 {
			addresses, err := one.Addrs()
			if err == nil && len(addresses) == 0 && one.Flags&net.FlagUp != 0 {
				err = errors.New("loopback without an address")
			}
			return err
		}
	}
	return errors.New("no loopback among them")
}
