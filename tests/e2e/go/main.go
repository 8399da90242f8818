// Go's clients against a broker and a keeper: main CLIENT ADDRESS TOPIC. Ends with 1 and the reason at the first thing that is wrong.
package main

import (
	"fmt"
	"os"
	"slices"
	"time"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: main franz|sarama|kafkago|zk ADDRESS NAME")
		os.Exit(2)
	}
	time.AfterFunc(80*time.Second, func() { panic("did not end in 80 s") })
	client := map[string]func(address, name string){"franz": franz, "sarama": saramas, "kafkago": kafkaGo, "zk": zookeeper}[os.Args[1]]
	client(os.Args[2], os.Args[3])
	fmt.Println("ok")
}

func must(err error, what string) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
		os.Exit(1)
	}
}

func value[T any](v T, err error) T {
	must(err, fmt.Sprintf("no %T", v))
	return v
}

func want[T comparable](got, expected T, what string) {
	if got != expected {
		must(fmt.Errorf("got %v, not %v", got, expected), what)
	}
}

func lines(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%06d to whom it may concern", i)
	}
	return out
}

// Every one of the lines once, in whatever order.
func wantAll(got, expected []string, what string) {
	slices.Sort(got)
	want(len(got), len(expected), what)
	want(slices.Equal(got, expected), true, what)
}
