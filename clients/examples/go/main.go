// main ADDRESS IMAGE X Y: opens an image, clicks on it, and prints how many pixels the mask has.
//
// One stream is one session: commands go out with rising numbers, and each reply names the command that it answers.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	pb "example/seempb"
)

type session struct {
	stream pb.Seem_InteractClient
	last   uint64
}

// say gives what the server answers to a command; an error carries what to do in its message.
func (s *session) say(command *pb.Command) (*pb.Reply, error) {
	s.last++
	command.Seq = s.last
	if err := s.stream.Send(command); err != nil {
		return nil, err
	}
	reply, err := s.stream.Recv() // one at a time here; several under way are told apart by reply.Seq
	if err != nil {
		return nil, err
	}
	if failed := reply.GetError(); failed != nil {
		return nil, fmt.Errorf("%s (%s): %s %s", failed.Code, failed.Fault, failed.Message, failed.Hint)
	}
	return reply, nil
}

func click(address, image string, x, y float64) (uint64, error) {
	encoded, err := os.ReadFile(image)
	if err != nil {
		return 0, err
	}
	connection, err := grpc.Dial(address, grpc.WithInsecure()) // with TLS: grpc.WithTransportCredentials
	if err != nil {
		return 0, err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if token := os.Getenv("SEEM_TOKEN"); token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	stream, err := pb.NewSeemClient(connection).Interact(ctx)
	if err != nil {
		return 0, err
	}
	s := &session{stream: stream}
	prompt := &pb.ObjectPrompt{ObjectId: 1, Points: []*pb.Point{{X: x, Y: y}}}
	for _, command := range []*pb.Command{
		{Kind: &pb.Command_Open{Open: &pb.Open{Subject: &pb.Open_Image{Image: &pb.ImageSubject{}}, Client: "example-go"}}},
		{Kind: &pb.Command_SetImage{SetImage: &pb.SetImage{Image: &pb.Image{Source: &pb.Image_Encoded{Encoded: encoded}}}}},
	} {
		if _, err := s.say(command); err != nil {
			return 0, err
		}
	}
	reply, err := s.say(&pb.Command{Kind: &pb.Command_Prompt{Prompt: &pb.Prompt{Objects: []*pb.ObjectPrompt{prompt}}}})
	if err != nil {
		return 0, err
	}
	masks := reply.GetMasks().GetObjects()
	if len(masks) == 0 {
		return 0, fmt.Errorf("no mask, but %v", reply)
	}
	_, err = s.say(&pb.Command{Kind: &pb.Command_Release{Release: &pb.Release{}}})
	return masks[0].Area, err
}

func main() {
	if len(os.Args) != 5 {
		log.Fatal("usage: main ADDRESS IMAGE X Y")
	}
	x, errX := strconv.ParseFloat(os.Args[3], 64)
	y, errY := strconv.ParseFloat(os.Args[4], 64)
	if errX != nil || errY != nil {
		log.Fatal("X and Y are numbers")
	}
	area, err := click(os.Args[1], os.Args[2], x, y)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(area)
}
