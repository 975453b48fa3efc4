// Decides logins of the demo: go run ./examples/demo HOST:PORT EVENT.json...
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	vestibule "vestibule.example/client"
)

func main() {
	client := must(vestibule.New(os.Args[1], vestibule.Options{}))
	defer client.Close()
	for _, path := range os.Args[2:] {
		var login = vestibule.Login{Tenant: "acme"}
		must(0, json.Unmarshal(must(os.ReadFile(path)), &login.Event.Auth0))
		fmt.Printf("%T\n", must(client.Decide(context.Background(), login)).Step)
	}
}

func must[T any](value T, errs ...error) T {
	for _, err := range errs {
		if err != nil {
			panic(err)
		}
	}
	return value
}
