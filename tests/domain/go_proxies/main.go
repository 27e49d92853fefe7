// What Go's tools do with proxy variables, as JSON. To write it anew, in this folder: go run . >table.json
// The version of golang.org/x/net in go.mod is the one whose rules net/http of Go 1.26 has, and with it kubectl.
package main

import (
	"encoding/json"
	"net/url"
	"os"

	"golang.org/x/net/http/httpproxy"
)

var lists = []string{
	"", "*", " * ", "a.example,*", "example.com", ".example.com", "*.example.com", "*example.com", "EXAMPLE.com",
	"example.com:443", "example.com:8443", ".example.com:8443", "example.com:", ":443", "example", "com", ".com",
	"ample.com", " example.com , 10.0.0.0/8 ", ",,", ".", "*.", "localhost", "10.0.0.0/8", "10.1.2.3/8", "10.0.0.0/33",
	"10.0.0.0/", "10.1.2.3", "10.1.2.3:443", "10.1.2.3:6443", "10.1.2", "10.", "10.*", "0.0.0.0/0", "::/0",
	"010.1.2.3", "192.168.0.0/16,172.16.0.0/12", "2001:db8::1", "2001:0DB8:0:0::1", "2001:db8::/32", "2001:db8::/129",
	"[2001:db8::1]:443", "[2001:db8::1]:6443", "[2001:db8::/32]", "::ffff:10.1.2.3", "::ffff:10.0.0.0/104",
	"fe80::/10", "xn--bcher-kva.example", "bücher.example", ".svc,.cluster.local", "kubernetes.default.svc",
	"https://example.com", "example.com/", "user@example.com", "api.example.com;example.com", "127.0.0.1", "::1",
}

var addresses = []string{
	"https://example.com/", "http://example.com/", "https://example.com:8443/x", "https://EXAMPLE.COM/",
	"https://api.example.com/", "https://sample.com/", "https://notexample.com/", "https://example.com./",
	"https://10.1.2.3:6443/", "https://10.1.2.3/", "https://11.1.2.3/", "https://192.168.4.5/", "https://172.20.0.1/",
	"https://[2001:db8::1]/", "https://[2001:db8::1]:6443/", "https://[2001:db9::1]/", "https://[::ffff:10.1.2.3]/",
	"https://[fe80::1]/", "https://localhost/", "https://localhost:6443/", "http://127.0.0.1:9091/",
	"http://127.8.9.10/", "https://[::1]:6443/", "https://[::ffff:127.0.0.1]/", "https://bücher.example/",
	"https://kubernetes.default.svc/", "https://kubernetes.default.svc.cluster.local/", "https://0.0.0.0/",
	"http://pushgateway:9091/", "https://my.localhost/",
}

var environments = []map[string]string{
	{}, {"HTTP_PROXY": "http://u:1"}, {"HTTPS_PROXY": "http://s:1"}, {"http_proxy": "http://lower:1"},
	{"HTTPS_PROXY": "http://upper:1", "https_proxy": "http://lower:1"},
	{"HTTPS_PROXY": "", "https_proxy": "http://lower:1"},
	{"HTTP_PROXY": "proxy.corp:3128", "HTTPS_PROXY": "10.0.0.9:3128"}, {"HTTPS_PROXY": "proxy"},
	{"HTTPS_PROXY": "socks5://s:1080"}, {"HTTPS_PROXY": "socks5h://me:secret@s:1080"},
	{"HTTPS_PROXY": "https://[2001:db8::9]:3129/"},
	{"HTTPS_PROXY": "http://s:1", "NO_PROXY": "example.com", "no_proxy": "other.example"},
	{"HTTPS_PROXY": "http://s:1", "NO_PROXY": "", "no_proxy": "example.com"},
	{"HTTPS_PROXY": "http://s:1", "no_proxy": "example.com"},
}

type row struct {
	Environment map[string]string `json:"environment"`
	Address     string            `json:"address"`
	Proxy       string            `json:"proxy"`
}

func ask(environment map[string]string, address string) row {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"} {
		os.Unsetenv(name)
		os.Unsetenv(map[string]string{"HTTP_PROXY": "http_proxy", "HTTPS_PROXY": "https_proxy", "NO_PROXY": "no_proxy"}[name])
	}
	for name, value := range environment {
		os.Setenv(name, value)
	}
	parsed, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	found, err := httpproxy.FromEnvironment().ProxyFunc()(parsed)
	if err != nil {
		panic(err)
	}
	if found == nil {
		return row{environment, address, ""}
	}
	return row{environment, address, found.String()}
}

// table is what is kept: which of the addresses each NO_PROXY leaves to the proxy, and which proxy each environment means.
type table struct {
	Addresses []string          `json:"addresses"`
	Proxied   map[string]string `json:"proxied"`
	Proxies   []row             `json:"proxies"`
}

func main() {
	found := table{addresses, map[string]string{}, nil}
	for _, list := range lists {
		environment := map[string]string{"HTTP_PROXY": "http://p:1", "HTTPS_PROXY": "http://p:1", "NO_PROXY": list}
		for _, address := range addresses {
			mark := "-"
			if ask(environment, address).Proxy != "" {
				mark = "p"
			}
			found.Proxied[list] += mark
		}
	}
	for _, environment := range environments {
		for _, address := range []string{"http://example.com/", "https://example.com/"} {
			found.Proxies = append(found.Proxies, ask(environment, address))
		}
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(found); err != nil {
		panic(err)
	}
}
