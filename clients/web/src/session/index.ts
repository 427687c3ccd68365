// All that the page's parts see of a session:
//
//   state     signals: what there is            connection  meeting the server, resuming, beginning anew
//   objects   the list                          pictures    images        video     frames, following
//   prompts   what is said and taken back       ahead       previews      finding   everything, examples
//   masks     what the server tells of them     notes       what a reload needs   strip   several of them

export * from "./ahead";
export * from "./connection";
export * from "./finding";
export * from "./objects";
export * from "./notes";
export * from "./pictures";
export * from "./prompts";
export * from "./state";
export * from "./strip";
export * from "./video";
