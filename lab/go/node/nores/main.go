// nores is an OCI runtime for machines whose root lacks CAP_SYS_RESOURCE: it removes that capability from what it is
// asked to run (config.json of create and run, the process file of exec) and becomes runc with the same arguments.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

const (
	missing = "CAP_SYS_RESOURCE"
	runc    = "/usr/sbin/runc"
)

// option gives the value of the first of names in args, as "--name value" or "--name=value".
func option(args []string, names ...string) string {
	for i, arg := range args {
		name, value, joined := strings.Cut(arg, "=")
		if !slices.Contains(names, name) {
			continue
		}
		if joined {
			return value
		}
		if i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}

func strip(process map[string]any) {
	sets, _ := process["capabilities"].(map[string]any)
	for name, set := range sets {
		if list, ok := set.([]any); ok {
			sets[name] = slices.DeleteFunc(list, func(c any) bool { return c == missing })
		}
	}
}

// rewrite strips the process found by find in the JSON file at path.
func rewrite(path string, find func(map[string]any) map[string]any) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(strings.NewReader(string(content)))
	decoder.UseNumber()
	var document map[string]any
	if err := decoder.Decode(&document); err != nil {
		return err
	}
	strip(find(document))
	if content, err = json.Marshal(document); err != nil {
		return err
	}
	temporary := path + ".nores"
	if err := os.WriteFile(temporary, content, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

func prepare(args []string) error {
	switch {
	case slices.Contains(args, "create"), slices.Contains(args, "run"):
		config := filepath.Join(option(args, "--bundle", "-b"), "config.json")
		return rewrite(config, func(d map[string]any) map[string]any {
			process, _ := d["process"].(map[string]any)
			return process
		})
	case slices.Contains(args, "exec"):
		if file := option(args, "--process", "-p"); file != "" {
			return rewrite(file, func(d map[string]any) map[string]any { return d })
		}
	}
	return nil
}

func main() {
	args := os.Args[1:]
	if err := prepare(args); err != nil {
		fmt.Fprintln(os.Stderr, "nores:", err)
	}
	err := syscall.Exec(runc, append([]string{runc}, args...), os.Environ())
	fmt.Fprintln(os.Stderr, "nores: cannot run", runc, err)
	os.Exit(127)
}
